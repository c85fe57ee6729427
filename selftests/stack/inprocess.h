/* SPDX-License-Identifier: GPL-2.0-only */
/* A stack in one thread, applications of the in-process peer in another. */
#ifndef DMM_SELFTESTS_INPROCESS_H
#define DMM_SELFTESTS_INPROCESS_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <dmm/stack_peer.h>

#include "kselftest.h"
#include "cases.h"

struct inprocess {
	struct dmm_peer *peer;
	struct dmm_device device;
	struct dmm_stack *stack;
	struct net net;
	pthread_t thread;
	void *result;
};

static inline void inprocess_report(const char *name, const char *failed, int code)
{
	if (!ksft_result(!failed, "%s", name))
		ksft_note("expected: %s (%d)", failed, code);
}

static inline void *inprocess_thread(void *arg)
{
	return (void *)(intptr_t)dmm_stack_run(arg);
}

/* @config->device is ours to set. */
static inline void inprocess_prepare(struct inprocess *p, struct dmm_stack_config *config)
{
	*p = (struct inprocess){ .peer = dmm_peer_new() };
	p->device = dmm_peer_device(p->peer);
	config->device = &p->device;
	p->net = (struct net){
		.ops = &peer_sockets,
		.arg = p->peer,
		.v4.s_addr = htonl(INADDR_LOOPBACK),
		.v6 = IN6ADDR_LOOPBACK_INIT,
		.stream = true,
		.dgram = true,
		.inet6 = true,
		.port = 1000,
		.report = inprocess_report,
		.skip = ksft_skip,
	};
}

static inline void inprocess_run(struct inprocess *p, struct dmm_stack *stack)
{
	p->stack = stack;
	pthread_create(&p->thread, NULL, inprocess_thread, stack);
}

static inline void inprocess_start(struct inprocess *p, struct dmm_stack_config *config)
{
	struct dmm_stack *stack;

	inprocess_prepare(p, config);
	if (dmm_stack_open(&stack, config)) {
		ksft_note("the stack cannot be opened");
		exit(KSFT_FAIL);
	}
	inprocess_run(p, stack);
}

/* The stack has to give back all connections; that can take it some turns. */
static inline bool inprocess_given_back(struct inprocess *p)
{
	struct dmm_peer_stats stats;

	for (int i = 0; i < 1000; i++) {
		dmm_peer_stats(p->peer, &stats);
		if (!stats.conns && !stats.pages)
			break;
		usleep(10000);
	}
	ksft_note("%llu moves of rings, %llu events held back, %llu stale",
		  (unsigned long long)stats.moves, (unsigned long long)stats.held_back,
		  (unsigned long long)stats.stale);
	return !stats.conns && !stats.pages && !stats.violations;
}

/* Two cases. */
static inline void inprocess_end(struct inprocess *p)
{
	ksft_result(inprocess_given_back(p), "the stack has given back all, and made no mistakes");
	dmm_stack_stop(p->stack);
	pthread_join(p->thread, &p->result);
	ksft_result(!p->result, "it ran until it was stopped");
	dmm_stack_close(p->stack);
	dmm_peer_free(p->peer);
}

#endif
