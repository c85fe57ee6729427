// SPDX-License-Identifier: GPL-2.0-only
/* A stack of several queues and threads: the cases for all stacks, sockets spread over its queues. */
#include "../stack/inprocess.h"
#include "../stack/queues.h"

#define QUEUES	4

/* As the kernel does: sockets go to the queues in turns. */
static void *spread_socket(void *arg, int family, int type)
{
	static unsigned int next;
	struct dmm_peer_socket *s = peer_sockets.socket(arg, family, type);

	if (s)
		dmm_peer_set_queue(s, next++ % QUEUES);
	return s;
}

#define CALLS	1000

struct numbered {
	struct dmm_call call;
	unsigned int nr;
};

static struct {
	unsigned int nr;
	bool wrong;
	pthread_t thread;
} made;

static void make_call(struct dmm_call *call)
{
	unsigned int nr = ((struct numbered *)call)->nr;

	made.wrong = made.wrong || nr != made.nr || (nr && !pthread_equal(made.thread, pthread_self()));
	made.thread = pthread_self();
	__atomic_store_n(&made.nr, nr + 1, __ATOMIC_RELEASE);
}

static bool comes(const unsigned int *count, unsigned int wanted)
{
	for (int ms = 0; ms < 20000; ms++) {
		if (__atomic_load_n(count, __ATOMIC_ACQUIRE) == wanted)
			return true;
		usleep(1000);
	}
	return false;
}

/* Its thread sleeps whenever it has made all. */
static void test_calls(struct dmm_queue *queue)
{
	static struct numbered n[CALLS];
	bool ok = true;

	for (unsigned int i = 0; ok && i < CALLS; i++) {
		n[i] = (struct numbered){ { .fn = make_call }, i };
		dmm_queue_call(queue, &n[i].call);
		if (i % 100 == 99)
			ok = comes(&made.nr, i + 1);
	}
	ksft_result(ok && !made.wrong && !pthread_equal(made.thread, pthread_self()),
		    "calls are made in their order, in the queue's thread");
}

static unsigned int slow, settled;

static void make_slow(struct dmm_call *call)
{
	(void)call;
	usleep(50000);
	__atomic_store_n(&slow, 1, __ATOMIC_RELEASE);
}

static void make_settled(struct dmm_call *call)
{
	(void)call;
	__atomic_store_n(&settled, 1 + __atomic_load_n(&slow, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

static void test_settle(struct dmm_stack *stack)
{
	static struct dmm_call first = { .fn = make_slow }, second = { .fn = make_settled };

	dmm_queue_call(dmm_stack_queue(stack, QUEUES - 1), &first);
	dmm_queue_settle(dmm_stack_queue(stack, 1), &second);
	ksft_result(comes(&settled, 2), "what settles comes after all queues");
}

static bool all_worked(struct dmm_stack *stack)
{
	struct dmm_queue_stats stats;
	bool ok = true;

	for (unsigned int i = 0; i < dmm_stack_queues(stack); i++) {
		dmm_queue_stats(dmm_stack_queue(stack, i), &stats);
		ksft_note("queue %u: %llu events down, %llu up, %llu enters, %llu bad", i,
			  (unsigned long long)stats.down, (unsigned long long)stats.up,
			  (unsigned long long)stats.enters, (unsigned long long)stats.bad);
		ok = ok && stats.down > 100 && stats.up > 100 && !stats.bad;
	}
	return ok;
}

int main(void)
{
	struct dmm_stack_config config = {
		.name = "queues",
		.ops = &queues_ops,
		.queues = QUEUES,
		.events = 64,
	};
	struct socket_ops spread = peer_sockets;
	struct inprocess p;

	ksft_header();
	ksft_plan(cases_count() + 5);
	spread.socket = spread_socket;
	inprocess_start(&p, &config);
	p.net.ops = &spread;
	cases_run(&p.net);
	test_calls(dmm_stack_queue(p.stack, 2));
	test_settle(p.stack);
	ksft_result(inprocess_given_back(&p), "the stack has given back all, and made no mistakes");
	dmm_stack_stop(p.stack);
	pthread_join(p.thread, &p.result);
	ksft_result(!p.result, "its threads ran until they were stopped");
	ksft_result(all_worked(p.stack), "each queue has had its part");
	dmm_stack_close(p.stack);
	dmm_peer_free(p.peer);
	queues_exit();
	ksft_finish();
}
