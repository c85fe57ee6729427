// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack-queues: queues.c as a daemon.
 *
 *	stack-queues [-n NAME] [-q QUEUES] [-t PATH]
 *
 * -t: take over from the one that offers itself there, if there is one, then offer there. At its end it prints what each
 * queue has done.
 */
#include <errno.h>
#include <error.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "queues.h"

static struct dmm_stack *stack;
static int offer = -1;
static int wanted;	/* by a successor */

static void stop(int sig)
{
	(void)sig;
	dmm_stack_stop(stack);
}

static int start(const struct dmm_stack_config *config, const char *path)
{
	int channel, fd, ret;

	fd = path ? dmm_stack_receive(path, &channel) : -ENOENT;
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return dmm_stack_open(&stack, config);
	if (fd < 0)
		return fd;
	ret = dmm_stack_takeover(&stack, config, fd);
	dmm_stack_received(channel, ret);
	return ret;
}

static void *watch(void *arg)
{
	struct pollfd p = { offer, POLLIN, 0 };

	if (poll(&p, 1, -1) == 1) {
		__atomic_store_n(&wanted, 1, __ATOMIC_RELEASE);
		dmm_stack_stop(stack);
	}
	return arg;
}

static void watch_offer(const char *path)
{
	pthread_t thread;

	offer = dmm_stack_offer(path);
	if (offer < 0)
		error(1, -offer, "%s", path);
	pthread_create(&thread, NULL, watch, NULL);
	pthread_detach(thread);
}

static void print_stats(void)
{
	struct dmm_queue_stats s;

	for (unsigned int i = 0; i < dmm_stack_queues(stack); i++) {
		dmm_queue_stats(dmm_stack_queue(stack, i), &s);
		printf("queue %u down %llu up %llu bad %llu\n", i, (unsigned long long)s.down,
		       (unsigned long long)s.up, (unsigned long long)s.bad);
	}
}

int main(int argc, char **argv)
{
	struct dmm_stack_config config = { .name = "queues", .ops = &queues_ops, .caps = DMM_CAPS_ALL, .arena = 8 << 20,
					   .queues = 4 };
	const char *path = NULL;
	int c, ret;

	while ((c = getopt(argc, argv, "n:q:t:")) != -1) {
		if (c == 'n')
			config.name = optarg;
		else if (c == 'q')
			config.queues = atoi(optarg);
		else if (c == 't')
			path = optarg;
		else
			return 2;
	}
	ret = start(&config, path);
	if (ret)
		error(1, -ret, "%s", config.name);
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	if (path)
		watch_offer(path);
	ret = dmm_stack_run(stack);
	if (!ret && __atomic_load_n(&wanted, __ATOMIC_ACQUIRE)) {
		queues_drain(stack);
		ret = dmm_stack_send(stack, offer);
	}
	print_stats();
	if (ret)
		error(1, -ret, "%s", config.name);
	return 0;
}
