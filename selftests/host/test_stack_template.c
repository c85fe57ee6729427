// SPDX-License-Identifier: GPL-2.0-only
/* The template stack, with rings that grow, and with rings that do not and few events. */
#include "../stack/inprocess.h"

/* Its main() is not for here. */
int template_main(int argc, char **argv);
#define main template_main
#include "../../stacks/template/template.c"
#undef main

static void test(uint64_t features, uint32_t events)
{
	struct dmm_stack_config config = {
		.name = "template",
		.ops = &ops,
		.arena = features & DMM_FEAT_GROW ? 32 << 20 : 128 << 20,
		.features = features,
		.events = events,
	};
	struct inprocess p;

	inprocess_start(&p, &config);
	cases_run(&p.net);
	inprocess_end(&p);
	while (!LIST_EMPTY(&ends))
		end_free(LIST_FIRST(&ends));
}

int main(void)
{
	ksft_header();
	ksft_plan(2 * (cases_count() + 2));
	test(DMM_FEATS_ALL, 1024);
	test(DMM_FEAT_PAIR, 64);
	ksft_finish();
}
