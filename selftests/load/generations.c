// SPDX-License-Identifier: GPL-2.0-only
/*
 * timeout: 600
 *
 * Changes of the policy under load: a writer replaces the whole table by one
 * transaction after the other while 16 threads connect.
 *
 * Every generation has a rule that sets a mark and a TOS byte, both made from
 * the number of the generation, and behind it one that rejects everything; odd
 * and even generations match by different keys, so that they are in different
 * places of the classifier. A connect that found half of a generation would be
 * rejected, or have no mark; one that found one that was not current any more,
 * or not yet, would have the wrong mark; and one that took parts of two would
 * have a mark and a TOS byte that do not belong together.
 */
#include "net.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <dmm/dmm.h>

#include "kselftest.h"

#define CONNECTORS	16
#define TRANSACTIONS	10000

static struct {
	union addr addr[2];	/* of the listeners, by IPv6 or not */
	int listener[2];
	uint64_t published;	/* generation that is current for sure */
	uint64_t coming;	/* generation that may be current already */
	bool over;
	unsigned long connects;
	unsigned long dumps;
	char failed[160];	/* the first failure of a thread */
} test;

static void __attribute__((format(printf, 1, 2))) failed(const char *fmt, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&lock);
	if (!test.failed[0])
		vsnprintf(test.failed, sizeof(test.failed), fmt, ap);
	pthread_mutex_unlock(&lock);
	va_end(ap);
	__atomic_store_n(&test.over, true, __ATOMIC_RELAXED);
}

static bool over(void)
{
	return __atomic_load_n(&test.over, __ATOMIC_RELAXED);
}

/* Never 0, and the ECN bits are TCP's own. */
static uint8_t tos_of(uint64_t gen)
{
	return (gen % 63 + 1) << 2;
}

static int get_int(int fd, int level, int opt)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, level, opt, &value, &len);
	return value;
}

static int connect_once(enum way way, bool v6)
{
	uint64_t first = __atomic_load_n(&test.published, __ATOMIC_ACQUIRE), last;
	int fd = make(way, v6 ? AF_INET6 : AF_INET, SOCK_STREAM), mark, tos;

	if (fd < 0) {
		failed("socket: %s", strerror(errno));
		return -1;
	}
	if (connect_to(fd, &test.addr[v6])) {
		failed("connect: %s", strerror(errno));
		return -1;
	}
	last = __atomic_load_n(&test.coming, __ATOMIC_ACQUIRE);
	mark = get_int(fd, SOL_SOCKET, SO_MARK);
	tos = v6 ? get_int(fd, SOL_IPV6, IPV6_TCLASS) : get_int(fd, SOL_IP, IP_TOS);
	/* Reset, so that nothing is left in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(fd);
	if ((uint64_t)mark < first || (uint64_t)mark > last) {
		failed("decided by generation %d, current were %llu to %llu", mark,
		       (unsigned long long)first, (unsigned long long)last);
		return -1;
	}
	if (tos != tos_of(mark)) {
		failed("mark of generation %d with TOS %#x, not %#x", mark, tos, tos_of(mark));
		return -1;
	}
	return 0;
}

static void *connector(void *arg)
{
	uintptr_t n = (uintptr_t)arg;

	while (!over() && connect_once(n & 1 ? FAMILY : PROTOCOL, n & 2) == 0)
		__atomic_add_fetch(&test.connects, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* The other side. It closes last: a reset could overtake the client's connect(). */
static void *acceptor(void *arg)
{
	int l = *(int *)arg, fd;

	while ((fd = accept(l, NULL, NULL)) >= 0) {
		recv(fd, &(char){ 0 }, 1, 0);
		close(fd);
	}
	return NULL;
}

/* What a dump shows is one generation, as well. */
struct seen {
	unsigned int rules;
	uint32_t mark[2];
};

static int see_rule(void *arg, const struct dmm_object *obj)
{
	struct seen *seen = arg;

	if (obj->rule->has & DMM_HAS(DMM_A_RULE_SET_MARK) && seen->rules < 3)
		seen->mark[seen->rules / 2] = obj->rule->set_mark;
	seen->rules++;
	return 0;
}

static void *reader(void *arg)
{
	struct dmm_client *client;
	int err = dmm_open(&client);

	(void)arg;
	if (err) {
		failed("dmm_open: %s", strerror(-err));
		return NULL;
	}
	while (!over()) {
		struct seen seen = { 0 };

		err = dmm_dump(client, DMM_CMD_RULE_GET, NULL, see_rule, &seen);
		if (err)
			failed("dump: %s: %s", strerror(-err), dmm_client_error(client)->msg);
		else if (seen.rules != 3 || seen.mark[0] != seen.mark[1])
			failed("a dump of %u rules, of generations %u and %u", seen.rules,
			       seen.mark[0], seen.mark[1]);
		else
			test.dumps++;
	}
	dmm_close(client);
	return NULL;
}

#define HAS(field) DMM_HAS(DMM_A_RULE_##field)

/* The rule that every connect finds. */
static struct dmm_change mark_rule(uint64_t gen, uint32_t prio)
{
	return (struct dmm_change){
		.cmd = DMM_CMD_RULE_ADD,
		.rule = {
			.has = HAS(PRIO) | HAS(ROLE) | HAS(VERDICT) | HAS(STACK) | HAS(SET_MARK) |
			       HAS(SET_TOS),
			.prio = prio,
			.role = DMM_ROLE_CONNECT,
			.verdict = DMM_VERDICT_STACK,
			.stack = { { "kernel" }, 1 },
			.set_mark = gen,
			.set_tos = tos_of(gen),
		},
	};
}

static struct dmm_change reject_rule(uint32_t prio)
{
	return (struct dmm_change){
		.cmd = DMM_CMD_RULE_ADD,
		.rule = {
			.has = HAS(PRIO) | HAS(ROLE) | HAS(VERDICT),
			.prio = prio,
			.role = DMM_ROLE_CONNECT,
			.verdict = DMM_VERDICT_REJECT,
		},
	};
}

/* Odd generations by user, even ones by type: different masks of the classifier. */
static void match_all(struct dmm_rule *rule, bool odd)
{
	if (odd) {
		rule->has |= HAS(UID_LO) | HAS(UID_HI);
		rule->uid_lo = 0;
		rule->uid_hi = 1000;
	} else {
		rule->has |= HAS(TYPE);
		rule->type = SOCK_STREAM;
	}
}

static int change_all(struct dmm_client *client, uint64_t gen)
{
	struct dmm_change flush = { .cmd = DMM_CMD_FLUSH };
	struct dmm_change first = mark_rule(gen, gen & 1 ? 100 : 50);
	struct dmm_change reject = reject_rule(200);
	struct dmm_change last = mark_rule(gen, 300);
	int err;

	match_all(&first.rule, gen & 1);
	err = dmm_begin(client, &(uint64_t){ gen - 1 });
	if (!err)
		err = dmm_change(client, &flush);
	if (!err)
		err = dmm_change(client, &first);
	if (!err)
		err = dmm_change(client, &reject);
	/* Nobody gets that far; it is there for the dump. */
	if (!err)
		err = dmm_change(client, &last);
	return err;
}

static int transaction(struct dmm_client *client, uint64_t gen)
{
	uint64_t made = 0;
	int err = change_all(client, gen);

	__atomic_store_n(&test.coming, gen, __ATOMIC_RELEASE);
	if (!err)
		err = dmm_commit(client, &made);
	if (err) {
		char text[160];

		dmm_error_format(text, sizeof(text), dmm_client_error(client));
		failed("generation %llu: %s: %s", (unsigned long long)gen, strerror(-err), text);
		return err;
	}
	if (made != gen)
		failed("generation %llu became %llu", (unsigned long long)gen,
		       (unsigned long long)made);
	__atomic_store_n(&test.published, gen, __ATOMIC_RELEASE);
	return 0;
}

static int see_gen(void *arg, const struct dmm_object *obj)
{
	*(uint64_t *)arg = obj->stat->gen;
	return 0;
}

/* A namespace of our own, with a table of its own. */
static void enter_netns(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET))
		ksft_skip_all("a network namespace needs root");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
}

/* So many transactions under load, from the generation that is current. */
static void run(struct dmm_client *client, uint64_t gen, unsigned long transactions)
{
	pthread_t t[CONNECTORS + 1], a[2];
	unsigned long i;

	for (i = 0; i < 2; i++)
		pthread_create(&a[i], NULL, acceptor, &test.listener[i]);
	for (i = 0; i < CONNECTORS; i++)
		pthread_create(&t[i], NULL, connector, (void *)i);
	pthread_create(&t[CONNECTORS], NULL, reader, NULL);
	for (i = 0; i < transactions && !over(); i++)
		if (transaction(client, ++gen))
			break;
	__atomic_store_n(&test.over, true, __ATOMIC_RELAXED);
	for (i = 0; i < CONNECTORS + 1; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < 2; i++) {
		shutdown(test.listener[i], SHUT_RD);
		pthread_join(a[i], NULL);
	}
}

int main(int argc, char **argv)
{
	unsigned long transactions = argc > 1 ? strtoul(argv[1], NULL, 0) :
						 TRANSACTIONS / ksft_rounds_div();
	struct dmm_client *client;
	uint64_t gen = 0;
	int i;

	ksft_header();
	signal(SIGPIPE, SIG_IGN);
	enter_netns();
	if (dmm_open(&client))
		ksft_skip_all("dmm.ko is not loaded");
	ksft_plan(3);
	for (i = 0; i < 2; i++)
		test.listener[i] = make_listener(PLAIN, i ? AF_INET6 : AF_INET, &test.addr[i]);
	dmm_get(client, DMM_CMD_STAT_GET, NULL, see_gen, &gen);
	/* The first one without load: before it nothing sets a mark. */
	if (transaction(client, gen + 1) == 0)
		run(client, gen + 1, transactions);
	if (test.failed[0])
		ksft_note("%s", test.failed);
	ksft_note("%llu generations, %lu connects, %lu dumps",
		  (unsigned long long)(test.published - gen), test.connects, test.dumps);
	ksft_result(!test.failed[0], "every connect is decided by one whole generation");
	ksft_result(test.published == gen + 1 + transactions, "every transaction is made");
	/* As many as it takes to have met changes: one in ten generations. */
	ksft_result(test.connects > transactions / 10 && test.dumps > transactions / 100,
		    "there was load");
	dmm_close(client);
	ksft_finish();
}
