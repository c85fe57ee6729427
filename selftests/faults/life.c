// SPDX-License-Identifier: GPL-2.0-only
/* Namespaces and the module itself. */
#include "faults.h"

#include <sched.h>

static int call_unshare(void)
{
	int ret;

	fault_begin();
	ret = unshare(CLONE_NEWNET);
	fault_end();
	return ret ? -errno : 0;
}

const struct op life_ops[] = {
	{ "a network namespace is made", MODULE, .child = true, .run = call_unshare },
	{ 0 }
};
