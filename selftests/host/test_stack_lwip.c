// SPDX-License-Identifier: GPL-2.0-only
/* dmm-lwip without an interface: the cases for all stacks, between sockets of its own. */
#include "../stack/inprocess.h"
#include "../../stacks/lwip/lwip.h"

static struct inprocess p;

int main(void)
{
	ksft_header();
	ksft_plan(cases_count() + 2);
	lw.config = (struct dmm_stack_config){ .name = "lwip", .ops = &lw_stack_ops };
	inprocess_prepare(&p, &lw.config);
	if (lw_start()) {
		ksft_note("the stack cannot be opened");
		return KSFT_FAIL;
	}
	inprocess_run(&p, lw.stack);
	cases_run(&p.net);
	inprocess_end(&p);
	ksft_finish();
}
