// SPDX-License-Identifier: Apache-2.0
/*
 * What a decision costs with many rules, and with many zone prefixes, and how long loading them takes.
 *
 * The kernel measures: explain with "repeat" decides for a described socket many times. Half of the sockets are made to
 * match one rule or prefix, picked at random, half match none, for which a lookup has to try all masks.
 *
 * Prints a line for each table, fields separated by tabs: kind, entries, masks of the rules, seconds to load,
 * nanoseconds of a decision that a rule makes, nanoseconds of one where none matches. With a number as argument, prints
 * a policy of so many rules instead.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <dmm/dmm.h>

#define NR_MASKS	16
#define NR_ZONES	10
#define NR_FLOWS	1000
#define REPEAT		20

#define FIRST_ADDR	0x10000000	/* of the prefixes, which nest */
#define MISS_ADDR	0xc8000000	/* in none of them */

/* What a socket must have to match. */
struct target {
	uint32_t addr;
	unsigned int len;
	uint16_t port;	/* 0: any */
	uint32_t uid;	/* 0: any */
};

struct kind {
	const char *name;
	void (*write)(FILE *f, unsigned int nr);
	struct target (*target)(unsigned int i);
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* The masks: four lengths of prefix, each without and with port and uid. */
static struct target rule_target(unsigned int i)
{
	static const unsigned int lens[] = { 16, 20, 24, 32 };
	unsigned int mask = i % NR_MASKS, n = i / NR_MASKS, len = lens[mask % 4];

	return (struct target) {
		.addr = FIRST_ADDR + (mask % 4 << 29) + (n << (32 - len)),
		.len = len,
		.port = mask & 4 ? 1024 + n : 0,
		.uid = mask & 8 ? 1000 + n : 0,
	};
}

static void write_prefix(FILE *f, const struct target *t)
{
	struct in_addr addr = { htonl(t->addr) };

	fprintf(f, " %s/%u", inet_ntoa(addr), t->len);
}

static void write_rule(FILE *f, const struct target *t)
{
	fprintf(f, " dst");
	write_prefix(f, t);
	if (t->port)
		fprintf(f, " dport %u", t->port);
	if (t->uid)
		fprintf(f, " uid %u", t->uid);
	fprintf(f, " stack kernel\n");
}

/* All of one priority: the longest prefix wins. */
static void write_rules(FILE *f, unsigned int nr)
{
	struct target t;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		t = rule_target(i);
		fprintf(f, "rule add");
		write_rule(f, &t);
	}
}

/* Each mask has rules of about all priorities, so that a match in one hardly ever rules out the others. */
static void write_mixed_rules(FILE *f, unsigned int nr)
{
	struct target t;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		t = rule_target(i);
		fprintf(f, "rule add prio %u", 5000 + i * 7919 % 1000);
		write_rule(f, &t);
	}
}

static struct target prefix_target(unsigned int i)
{
	unsigned int len = 17 + i % NR_MASKS;

	return (struct target) {
		.addr = FIRST_ADDR + (i / NR_MASKS << (32 - len)),
		.len = len,
	};
}

static void write_zones(FILE *f, unsigned int nr)
{
	unsigned int i, zone, line = nr / NR_ZONES < 50 ? nr / NR_ZONES : 50;
	struct target t;

	for (i = 0; i < nr; i++) {
		t = prefix_target(i);
		if (i % line == 0)
			fprintf(f, "%szone add z%u", i ? "\n" : "", i / line % NR_ZONES);
		write_prefix(f, &t);
	}
	fprintf(f, "\n");
	for (zone = 0; zone < NR_ZONES; zone++)
		fprintf(f, "rule add prio %u dst zone z%u stack kernel\n", 5000 + zone, zone);
}

static const struct kind kinds[] = {
	{ "rules", write_rules, rule_target },
	{ "rules, mixed priorities", write_mixed_rules, rule_target },
	{ "zone prefixes", write_zones, prefix_target },
};

/* Seconds that a command takes. */
static double run(const char *command)
{
	double start = now();

	if (system(command))
		errx(1, "failed: %s", command);
	return now() - start;
}

static double load(const struct kind *k, unsigned int nr)
{
	char path[] = "/tmp/dmm-bench.XXXXXX", command[64];
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	double seconds;

	if (!f)
		err(1, "%s", path);
	k->write(f, nr);
	if (fclose(f))
		err(1, "%s", path);
	snprintf(command, sizeof(command), "dmmpolicy -f %s", path);
	seconds = run(command);
	unlink(path);
	return seconds;
}

/* libdmm's calls. */
static void must(int ret)
{
	if (ret < 0) {
		errno = -ret;
		err(1, "netlink");
	}
}

static int get_masks(void *masks, const struct dmm_object *obj)
{
	*(unsigned int *)masks = obj->stat->masks;
	return 0;
}

struct answer {
	uint32_t rule;
	uint64_t ps;
};

static int get_answer(void *arg, const struct dmm_object *obj)
{
	struct answer *a = arg;

	a->rule = obj->explain->rule;
	a->ps = obj->explain->ps;
	return 0;
}

/* A socket that is as @t wants it, at random where it says nothing. */
static struct dmm_explain make_flow(const struct target *t)
{
	struct dmm_explain flow = {
		.has = DMM_HAS(DMM_A_EXPLAIN_DST) | DMM_HAS(DMM_A_EXPLAIN_DPORT) |
		       DMM_HAS(DMM_A_EXPLAIN_UID) | DMM_HAS(DMM_A_EXPLAIN_REPEAT),
		.dst = { .family = AF_INET, .len = 32 },
		.dport = t->port ?: 1 + random() % 65535,
		.uid = t->uid ?: random() % 65536,
		.repeat = REPEAT,
	};
	uint32_t addr = htonl(t->addr | (random() & UINT64_C(0xffffffff) >> t->len));

	memcpy(flow.dst.addr, &addr, sizeof(addr));
	return flow;
}

/* Mean nanoseconds of decisions that match one of the first @nr targets, or with @nr 0 none. */
static double decide(struct dmm_client *client, const struct kind *k, unsigned int nr)
{
	struct target t = { .addr = MISS_ADDR, .len = 8 };
	struct dmm_explain flow;
	uint64_t sum = 0;
	struct answer a;
	unsigned int i;

	for (i = 0; i < NR_FLOWS; i++) {
		if (nr)
			t = k->target(random() % nr);
		flow = make_flow(&t);
		must(dmm_get(client, DMM_CMD_EXPLAIN, &flow, get_answer, &a));
		if (!a.rule != !nr)
			errx(1, "%s: a socket that should %s a rule", k->name, nr ? "match" : "not match");
		sum += a.ps;
	}
	return sum / 1e3 / NR_FLOWS;
}

static void measure(struct dmm_client *client, const struct kind *k, unsigned int nr)
{
	double seconds = load(k, nr);
	unsigned int masks;

	must(dmm_get(client, DMM_CMD_STAT_GET, NULL, get_masks, &masks));
	printf("%s\t%u\t%u\t%.3f", k->name, nr, masks, seconds);
	printf("\t%.0f", decide(client, k, nr));
	printf("\t%.0f\n", decide(client, k, 0));
	fflush(stdout);
	run("dmmpolicy flush all");
}

int main(int argc, char **argv)
{
	static const unsigned int sizes[] = { 10, 1000, 100000 };
	struct dmm_client *client;
	unsigned int k, i;

	if (argc > 1) {
		write_rules(stdout, strtoul(argv[1], NULL, 0));
		return 0;
	}
	must(dmm_open(&client));
	for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			measure(client, &kinds[k], sizes[i]);
	dmm_close(client);
	return 0;
}
