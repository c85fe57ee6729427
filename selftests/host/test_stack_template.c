// SPDX-License-Identifier: GPL-2.0-only
/* The template stack in one thread, applications of the in-process peer in another. */
#include <arpa/inet.h>
#include <pthread.h>

#include <dmm/stack_peer.h>
#include <unistd.h>

#include "kselftest.h"
#include "../stack/cases.h"

/* Its main() is not for here. */
int template_main(int argc, char **argv);
#define main template_main
#include "../../stacks/template/template.c"
#undef main

static void report(const char *name, const char *failed, int code)
{
	if (!ksft_result(!failed, "%s", name))
		ksft_note("expected: %s (%d)", failed, code);
}

static void *run(void *arg)
{
	return (void *)(intptr_t)dmm_stack_run(arg);
}

/* The stack has to give back all connections; that can take it some turns. */
static bool all_given_back(struct dmm_peer *peer)
{
	struct dmm_peer_stats stats;

	for (int i = 0; i < 1000; i++) {
		dmm_peer_stats(peer, &stats);
		if (!stats.conns && !stats.pages)
			break;
		usleep(10000);
	}
	ksft_note("%llu moves of rings, %llu events held back, %llu stale",
		  (unsigned long long)stats.moves, (unsigned long long)stats.held_back,
		  (unsigned long long)stats.stale);
	return !stats.conns && !stats.pages && !stats.violations;
}

static void test(uint64_t features, uint32_t events)
{
	struct dmm_peer *peer = dmm_peer_new();
	struct dmm_device device = dmm_peer_device(peer);
	struct dmm_stack_config config = {
		.name = "template",
		.device = &device,
		.ops = &ops,
		.arena = features & DMM_FEAT_GROW ? 32 << 20 : 128 << 20,
		.features = features,
		.events = events,
	};
	struct net net = {
		.ops = &peer_sockets,
		.arg = peer,
		.v4.s_addr = htonl(INADDR_LOOPBACK),
		.v6 = IN6ADDR_LOOPBACK_INIT,
		.stream = true,
		.dgram = true,
		.inet6 = true,
		.port = 1000,
		.report = report,
		.skip = ksft_skip,
	};
	struct dmm_stack *stack;
	pthread_t thread;
	void *ret;

	if (dmm_stack_open(&stack, &config))
		exit(1);
	pthread_create(&thread, NULL, run, stack);
	cases_run(&net);
	ksft_result(all_given_back(peer), "the stack has given back all, and made no mistakes");
	dmm_stack_stop(stack);
	pthread_join(thread, &ret);
	ksft_result(!ret, "it ran until it was stopped");
	dmm_stack_close(stack);
	dmm_peer_free(peer);
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
