// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer: the template under applications that do anything. Take this for a stack of your own. */
#include <stdio.h>

#include <dmm/stack_peer.h>

/* Its main() is not for here. */
int template_main(int argc, char **argv);
#define main template_main
#include "../../stacks/template/template.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dmm_stack_config config = {
		.name = "template", .ops = &ops, .caps = DMM_CAPS_ALL, .arena = 1 << 20, .events = 64, .sndbuf = 16384,
		.rcvbuf = 16384,
	};
	const char *wrong = dmm_peer_fuzz(&config, data, size);

	if (wrong) {
		fprintf(stderr, "%s\n", wrong);
		abort();
	}
	if (!LIST_EMPTY(&ends))
		abort();
	return 0;
}
