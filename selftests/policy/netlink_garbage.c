// SPDX-License-Identifier: GPL-2.0-only
/*
 * Garbage: random bytes, random attributes, and good messages with some bits changed, from two processes at once. What
 * the kernel makes of it does not matter, as long as it lives, tells no contradictions and can throw all of it away.
 * A number on the command line is the seed.
 */
#include "nl.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/genetlink.h>

#define MESSAGES	30000
#define BATCH		50

static uint64_t state;

static uint32_t chance(uint32_t n)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % n;
}

/* Attributes that make sense, by type, for a rule. */
static const struct attr *sensible[] = {
	ATTRS(KERNEL, U32(DMM_A_RULE_PRIO, 300), ADDR4(DMM_A_RULE_DST, 8, 10), STR(DMM_A_RULE_COMM, "x")),
	ATTRS(KERNEL, STR(DMM_A_RULE_SRC_ZONE, "z"), PORTS(DMM_A_RULE_DPORTS, { 1, 5 }, { 80, 80 })),
	ATTRS(KERNEL, STR(DMM_A_RULE_CGROUP, "/a/b/c"), U32(DMM_A_RULE_UID_LO, 0), U32(DMM_A_RULE_UID_HI, 9)),
	ATTRS(U8(DMM_A_RULE_VERDICT, 1), ADDR6(DMM_A_RULE_SRC, 16, 0xfd), U32(DMM_A_RULE_MARK, 7)),
	ATTRS(STR(DMM_A_ZONE_NAME, "z"), ADDR4(DMM_A_ZONE_PREFIXES, 8, 10)),
	ATTRS(STR(DMM_A_SET_NAME, "s"), PORTS(DMM_A_SET_RANGES, { 1, 5 }, { 80, 80 })),
	ATTRS(U64(DMM_A_TXN_GEN, 1)),
	ATTRS(U8(DMM_A_ZONE_ORIGIN, 1)),
	ATTRS(U8(DMM_A_EXPLAIN_ROLE, 1), ADDR4(DMM_A_EXPLAIN_DST, 32, 10), U16(DMM_A_EXPLAIN_DPORT, 80)),
	NO_ATTRS,
};

/* Explain takes its time when asked to; nobody shall ask. */
static int random_type(int cmd)
{
	int type = chance(DMM_A_RULE_MAX + 3);

	return cmd == DMM_CMD_EXPLAIN && type == DMM_A_EXPLAIN_REPEAT ? DMM_A_EXPLAIN_WANT : type;
}

static void put_noise(struct nl_msg *msg, unsigned int len)
{
	uint8_t *data = nlmsg_reserve(msg, len, 1 + chance(4));

	while (data && len--)
		*data++ = chance(256);
}

static void put_random_attr(struct nl_msg *msg, int cmd)
{
	static const uint8_t sizes[] = { 0, 1, 1, 1, 2, 4, 4, 4, 8, 20, 20, 40, 60, 255 };
	unsigned int len = sizes[chance(sizeof(sizes))], i;
	struct nlattr *attr = nla_reserve(msg, random_type(cmd), len);
	bool calm = chance(2);

	for (i = 0; attr && i < len; i++)
		((uint8_t *)nla_data(attr))[i] = calm ? (i == 0) * chance(3) : chance(256);
	if (attr && !chance(20))
		attr->nla_len = chance(400);
}

static void change_bits(struct nl_msg *msg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	unsigned int n, head = NLMSG_HDRLEN + GENL_HDRLEN;

	for (n = chance(4); n && nlh->nlmsg_len > head; n--)
		((uint8_t *)nlh)[head + chance(nlh->nlmsg_len - head)] ^= 1 << chance(8);
}

static struct nl_msg *random_message(struct dnl *nl)
{
	static const uint16_t flags[] = { 0, 0, 0, 0, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_ECHO, NLM_F_CREATE, 0xffe };
	const struct attr *attrs = sensible[chance(ARRAY_SIZE(sensible))];
	int cmd = chance(DMM_CMD_MAX + 2), kind = chance(4), i;
	struct nl_msg *msg;

	/* Most of what looks like a rule shall be one, and stay for a while. */
	if ((attrs[0].type >= DMM_A_RULE_VERDICT && chance(3)) || (cmd == DMM_CMD_FLUSH && chance(50)))
		cmd = DMM_CMD_RULE_ADD;
	else if (cmd == DMM_CMD_TXN_BEGIN && chance(2))
		cmd = DMM_CMD_TXN_COMMIT;
	msg = dnl_message(nl, cmd, flags[chance(ARRAY_SIZE(flags))], kind < 2 ? attrs : NO_ATTRS);
	if (kind == 1)
		change_bits(msg);
	else if (kind == 2)
		for (i = chance(8); i; i--)
			put_random_attr(msg, cmd);
	else if (kind == 3)
		put_noise(msg, chance(300));
	return msg;
}

static void drain(struct dnl *nl)
{
	char buf[32 << 10];

	while (recv(nl->fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
}

static void throw(uint64_t seed)
{
	static char batch[BATCH * 2048];
	struct dnl *nl = dnl_open();
	struct nl_msg *msg;
	size_t len;
	int i, n;

	state = seed;
	for (i = 0; i < MESSAGES; i += BATCH) {
		for (n = len = 0; n < BATCH; n++) {
			msg = random_message(nl);
			if (nlmsg_hdr(msg)->nlmsg_len < 2048) {
				memcpy(batch + len, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
				len += NLMSG_ALIGN(nlmsg_hdr(msg)->nlmsg_len);
			}
			nlmsg_free(msg);
		}
		send(nl->fd, batch, len, MSG_DONTWAIT);
		drain(nl);
	}
	/* Both may have left a transaction open. */
	dnl_close(nl);
}

static void count(void *arg, int cmd, struct nlattr **tb)
{
	(void)cmd;
	(void)tb;
	++*(uint32_t *)arg;
}

static uint32_t count_dump(struct dnl *nl, int cmd)
{
	uint32_t nr = 0;

	dnl_dump(nl, cmd, NO_ATTRS, count, &nr, NULL);
	return nr;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
	struct dnl *nl;
	int status[2];
	pid_t pid[2];
	int i;

	ksft_header();
	if (unshare(CLONE_NEWNET))
		ksft_skip_all("needs root");
	ksft_plan(4);
	ksft_note("seed %llu", (unsigned long long)seed);
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			throw(seed + i);
			_exit(0);
		}
	}
	for (i = 0; i < 2; i++)
		waitpid(pid[i], &status[i], 0);
	ksft_result(!status[0] && !status[1], "2 x %d messages", MESSAGES);

	nl = dnl_open();
	ksft_note("%u rules, %u masks, %u zones, %u sets, generation %llu", dnl_stat(nl, DMM_A_STAT_RULES),
		  dnl_stat(nl, DMM_A_STAT_MASKS), dnl_stat(nl, DMM_A_STAT_ZONES), dnl_stat(nl, DMM_A_STAT_SETS),
		  (unsigned long long)dnl_generation(nl));
	ksft_result(dnl_stat(nl, DMM_A_STAT_RULES) == count_dump(nl, DMM_CMD_RULE_GET) &&
		    dnl_stat(nl, DMM_A_STAT_ZONES) <= count_dump(nl, DMM_CMD_ZONE_GET) &&
		    dnl_stat(nl, DMM_A_STAT_SETS) == count_dump(nl, DMM_CMD_SET_GET), "counts and dumps agree");
	ksft_result(!dnl_do(nl, DMM_CMD_FLUSH, NO_ATTRS), "flush");
	ksft_result(!dnl_stat(nl, DMM_A_STAT_RULES) && !dnl_stat(nl, DMM_A_STAT_MASKS) &&
		    !dnl_stat(nl, DMM_A_STAT_ZONES) && !dnl_stat(nl, DMM_A_STAT_PREFIXES) &&
		    !dnl_stat(nl, DMM_A_STAT_SETS) && !dnl_explain(nl, NO_ATTRS), "nothing is left");
	ksft_finish();
}
