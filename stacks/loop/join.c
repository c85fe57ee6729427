// SPDX-License-Identifier: Apache-2.0
/* Namespaces are apart, but for those that an option names: they are one group. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "all", or numbers with commas between. */
int loop_join_parse(struct loop *loop, const char *list)
{
	unsigned long value;
	char *end;

	if (!strcmp(list, "all")) {
		loop->join_all = true;
		return 0;
	}
	for (;; list = end + 1) {
		errno = 0;
		value = strtoul(list, &end, 10);
		if (end == list || *list == '-' || errno || value > UINT32_MAX ||
		    loop->nr_joined == LOOP_JOINED_MAX)
			return -EINVAL;
		loop->joined[loop->nr_joined++] = value;
		if (!*end)
			return 0;
		if (*end != ',')
			return -EINVAL;
	}
}

uint32_t loop_group(const struct loop *loop, uint32_t netns)
{
	if (loop->join_all)
		return 0;
	for (unsigned int i = 0; i < loop->nr_joined; i++)
		if (loop->joined[i] == netns)
			return loop->joined[0];
	return netns;
}
