// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random tables and random flows: the kernel's tuple space search must agree with a walk over all rules in their order.
 * A number on the command line is the seed.
 */
#include <sched.h>
#include <stdint.h>
#include <time.h>
#include <sys/socket.h>

#include <dmm/policy.h>

#include "kselftest.h"

#define RULES_MAX	2100
#define SHAPES		50	/* the kernel takes 64 masks */
#define ZONES		6
#define PREFIXES_MAX	64
#define SETS		4
#define RANGES_MAX	4
#define ROUNDS		50u	/* of changes */
#define COMPLAINTS	5

#define HAS(rule, key)	((rule)->has & DMM_HAS(DMM_A_RULE_##key))

/* The model. */

/**
 * struct shape - which keys a rule has; its values are random
 * @has:	DMM_HAS(DMM_A_RULE_*)
 * @family:	of the prefixes
 * @len:	of the local and the remote prefix
 * @single:	port keys are one port, of either end
 * @levels:	of the cgroup
 */
struct shape {
	uint64_t has;
	uint8_t family;
	uint8_t len[2];
	bool single[2];
	bool one_uid, one_gid;
	uint8_t levels;
	uint32_t mark_mask;
};

struct rule {
	struct dmm_rule r;
	uint32_t id;
	struct dmm_port_range sports[RANGES_MAX], dports[RANGES_MAX];
	/* What the transaction at hand does to it. */
	bool born, dead;
};

struct zone_prefix {
	struct dmm_prefix p;
	unsigned int zone;
};

struct ports {
	struct dmm_port_range range[RANGES_MAX];
	unsigned int nr;
};

static struct shape shapes[SHAPES];
static struct rule rules[RULES_MAX];
static unsigned int nr_rules;
static struct zone_prefix prefixes[PREFIXES_MAX];
static unsigned int nr_prefixes;
static struct ports sets[SETS];

static struct dmm_client *client;
static unsigned int wrong, decided, asked_for;

/* Names of zones: ours, then the built-in ones. */
static const char *const zone_names[] = { "z0", "z1", "z2", "z3", "z4", "z5", "loopback", "local", "internet" };
static const char *const set_names[] = { "s0", "s1", "s2", "s3" };
static const char *const devs[] = { "d0", "d1", "d12" };
static const char *const comms[] = { "c0", "c1", "c12" };
static const char *const cgroups[] = {
	"/", "/a", "/b", "/ab", "/a/a", "/a/b", "/b/a", "/b/ab", "/a/a/a", "/a/a/b", "/a/b/a", "/b/a/b", "/b/a/b/a",
};

/* 10.3.3.3 and fd00:3::3 are on lo. */
static const struct dmm_prefix local_addrs[] = {
	{ .family = AF_INET, .len = 32, .addr = { 10, 3, 3, 3 } },
	{ .family = AF_INET6, .len = 128, .addr = { 0xfd, 0, 0, 3, [15] = 3 } },
};

static uint64_t state;

static uint32_t chance(uint32_t n)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % n;
}

/* Small worlds, so that rules and flows meet. */

static struct dmm_prefix random_addr(uint8_t family)
{
	struct dmm_prefix p = { .family = family, .len = family == AF_INET ? 32 : 128 };

	if (!chance(20)) {
		p.addr[0] = family == AF_INET ? 127 : 0;
		p.addr[p.len / 8 - 1] = 1;
	} else if (family == AF_INET) {
		p.addr[0] = 10 + !chance(8);
		p.addr[1] = chance(4);
		p.addr[2] = chance(4);
		p.addr[3] = chance(4);
	} else {
		p.addr[0] = 0xfd + !chance(8);
		p.addr[3] = chance(4);
		p.addr[7] = chance(3) << 6;
		p.addr[15] = chance(4);
	}
	return p;
}

static void cut(struct dmm_prefix *p, unsigned int len)
{
	unsigned int i;

	p->len = len;
	for (i = 0; i < 128; i++)
		if (i >= len)
			p->addr[i / 8] &= ~(0x80 >> i % 8);
}

/* The same prefix in its IPv6 form: the kernel takes both. */
static void map(struct dmm_prefix *p)
{
	memcpy(p->addr + 12, p->addr, 4);
	memset(p->addr, 0, 10);
	p->addr[10] = p->addr[11] = 0xff;
	p->family = AF_INET6;
	p->len += 96;
}

static uint8_t random_family(void)
{
	return chance(3) ? AF_INET : AF_INET6;
}

static uint8_t random_len(uint8_t family)
{
	static const uint8_t v4[] = { 0, 7, 8, 15, 16, 23, 24, 31, 32, 32 };
	static const uint8_t v6[] = { 0, 7, 8, 31, 32, 58, 64, 96, 127, 128 };

	return family == AF_INET ? v4[chance(sizeof(v4))] : v6[chance(sizeof(v6))];
}

static unsigned int random_ranges(struct dmm_port_range *range, bool single)
{
	unsigned int i, nr = single ? 1 : 1 + chance(RANGES_MAX);

	for (i = 0; i < nr; i++) {
		range[i].lo = 1 + chance(12);
		range[i].hi = single ? range[i].lo : range[i].lo + chance(3);
	}
	/* More than one port, or the kernel takes it for a single one. */
	if (!single && nr == 1 && range->lo == range->hi)
		range->hi++;
	return nr;
}

static void make_shape(struct shape *s)
{
	static const struct {
		uint64_t has;
		unsigned int one_in;
	} keys[] = {
		{ DMM_HAS(DMM_A_RULE_ROLE), 4 }, { DMM_HAS(DMM_A_RULE_TYPE), 5 }, { DMM_HAS(DMM_A_RULE_FAMILY), 8 },
		{ DMM_HAS(DMM_A_RULE_SRC), 6 }, { DMM_HAS(DMM_A_RULE_DST), 2 }, { DMM_HAS(DMM_A_RULE_SRC_ZONE), 8 },
		{ DMM_HAS(DMM_A_RULE_DST_ZONE), 5 }, { DMM_HAS(DMM_A_RULE_SPORTS), 6 }, { DMM_HAS(DMM_A_RULE_DPORTS), 3 },
		{ DMM_HAS(DMM_A_RULE_SPORT_SET), 12 }, { DMM_HAS(DMM_A_RULE_DPORT_SET), 8 },
		{ DMM_HAS(DMM_A_RULE_UID_LO) | DMM_HAS(DMM_A_RULE_UID_HI), 6 },
		{ DMM_HAS(DMM_A_RULE_GID_LO) | DMM_HAS(DMM_A_RULE_GID_HI), 9 }, { DMM_HAS(DMM_A_RULE_CGROUP), 6 },
		{ DMM_HAS(DMM_A_RULE_MARK) | DMM_HAS(DMM_A_RULE_MARK_MASK), 8 }, { DMM_HAS(DMM_A_RULE_DSCP), 12 },
		{ DMM_HAS(DMM_A_RULE_DEV), 10 }, { DMM_HAS(DMM_A_RULE_COMM), 10 },
	};
	static const uint32_t masks[] = { ~0u, 0xf, 3, 12, 0 };
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!chance(keys[i].one_in))
			s->has |= keys[i].has;
	if (HAS(s, SPORTS))
		s->has &= ~DMM_HAS(DMM_A_RULE_SPORT_SET);
	if (HAS(s, DPORTS))
		s->has &= ~DMM_HAS(DMM_A_RULE_DPORT_SET);
	s->family = random_family();
	for (i = 0; i < 2; i++) {
		s->len[i] = random_len(s->family);
		s->single[i] = chance(2);
	}
	s->one_uid = chance(2);
	s->one_gid = chance(2);
	s->levels = chance(4);
	s->mark_mask = masks[chance(sizeof(masks) / sizeof(masks[0]))];
}

static unsigned int levels_of(const char *cgroup)
{
	unsigned int n = 0;

	for (; cgroup[1] && cgroup; cgroup = strchr(cgroup + 1, '/')) {
		n++;
		if (!strchr(cgroup + 1, '/'))
			break;
	}
	return n;
}

static const char *random_cgroup(unsigned int levels)
{
	const char *cgroup;

	do
		cgroup = cgroups[chance(sizeof(cgroups) / sizeof(cgroups[0]))];
	while (levels_of(cgroup) != levels);
	return cgroup;
}

static void random_prefix(struct dmm_prefix *p, uint8_t family, unsigned int len)
{
	*p = random_addr(family);
	cut(p, len);
}

static void make_rule(struct rule *rule)
{
	const struct shape *s = &shapes[chance(SHAPES)];
	struct dmm_rule *r = &rule->r;

	memset(rule, 0, sizeof(*rule));
	r->has = s->has | DMM_HAS(DMM_A_RULE_PRIO) | DMM_HAS(DMM_A_RULE_VERDICT) | DMM_HAS(DMM_A_RULE_STACK);
	r->prio = chance(10);
	r->stack = (struct dmm_names){ .v = { "kernel" }, .nr = 1 };
	r->role = 1 + chance(2);
	r->type = 1 + chance(2);
	r->family = HAS(r, SRC) || HAS(r, DST) ? s->family : random_family();
	random_prefix(&r->src, s->family, s->len[0]);
	random_prefix(&r->dst, s->family, s->len[1]);
	r->src_zone = zone_names[chance(ZONES + 3)];
	r->dst_zone = zone_names[chance(ZONES + 3)];
	r->sports = (struct dmm_ports){ .v = rule->sports, .nr = random_ranges(rule->sports, s->single[0]) };
	r->dports = (struct dmm_ports){ .v = rule->dports, .nr = random_ranges(rule->dports, s->single[1]) };
	r->sport_set = set_names[chance(SETS)];
	r->dport_set = set_names[chance(SETS)];
	r->uid_lo = chance(6);
	r->uid_hi = r->uid_lo + (s->one_uid ? 0 : 1 + chance(3));
	r->gid_lo = chance(6);
	r->gid_hi = r->gid_lo + (s->one_gid ? 0 : 1 + chance(3));
	r->cgroup = random_cgroup(s->levels);
	r->mark_mask = s->mark_mask;
	r->mark = chance(16) & s->mark_mask;
	r->dscp = chance(3);
	r->dev = devs[chance(3)];
	r->comm = comms[chance(3)];
}

/* The reference: is this so, and which rule is it? */

static bool prefix_has(const struct dmm_prefix *p, const struct dmm_prefix *addr)
{
	unsigned int bytes = p->len / 8, bits = p->len % 8;

	return p->family == addr->family && !memcmp(p->addr, addr->addr, bytes) &&
	       (!bits || (p->addr[bytes] ^ addr->addr[bytes]) >> (8 - bits) == 0);
}

static bool ranges_have(const struct dmm_port_range *range, unsigned int nr, uint16_t port)
{
	while (nr--)
		if (range[nr].lo <= port && port <= range[nr].hi)
			return true;
	return false;
}

static bool set_has(const char *name, uint16_t port)
{
	const struct ports *set = &sets[name[1] - '0'];

	return ranges_have(set->range, set->nr, port);
}

static bool is_zero(const struct dmm_prefix *addr)
{
	static const uint8_t zero[16];

	return !memcmp(addr->addr, zero, sizeof(zero));
}

/* Name of the zone of an address, "" for none. */
static const char *zone_of(const struct dmm_prefix *addr)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	const struct zone_prefix *best = NULL;
	unsigned int i;

	if (is_zero(addr))
		return "";
	for (i = 0; i < nr_prefixes; i++)
		if (prefix_has(&prefixes[i].p, addr) && (!best || prefixes[i].p.len > best->p.len))
			best = &prefixes[i];
	if (best)
		return zone_names[best->zone];
	if (addr->family == AF_INET ? addr->addr[0] == 127 : !memcmp(addr->addr, loopback6, sizeof(loopback6)))
		return "loopback";
	for (i = 0; i < 2; i++)
		if (!memcmp(addr, &local_addrs[i], sizeof(*addr)))
			return "local";
	return "internet";
}

static bool below(const char *path, const char *cgroup)
{
	size_t len = strlen(cgroup);

	if (!strcmp(cgroup, "/"))
		return true;
	return !strncmp(path, cgroup, len) && (!path[len] || path[len] == '/');
}

static bool matches_local(const struct dmm_rule *r, const struct dmm_explain *f)
{
	return (!HAS(r, ROLE) || r->role == f->role) && (!HAS(r, TYPE) || r->type == f->type) &&
	       (!HAS(r, FAMILY) || r->family == f->family) && (!HAS(r, SRC) || prefix_has(&r->src, &f->src)) &&
	       (!HAS(r, SRC_ZONE) || !strcmp(r->src_zone, zone_of(&f->src))) &&
	       (!HAS(r, SPORTS) || ranges_have(r->sports.v, r->sports.nr, f->sport)) &&
	       (!HAS(r, SPORT_SET) || set_has(r->sport_set, f->sport)) &&
	       (!HAS(r, UID_LO) || (r->uid_lo <= f->uid && f->uid <= r->uid_hi)) &&
	       (!HAS(r, GID_LO) || (r->gid_lo <= f->gid && f->gid <= r->gid_hi)) &&
	       (!HAS(r, CGROUP) || below(f->cgroup, r->cgroup)) &&
	       (!HAS(r, MARK) || (f->mark & r->mark_mask) == r->mark) && (!HAS(r, DSCP) || r->dscp == f->dscp) &&
	       (!HAS(r, DEV) || !strcmp(r->dev, f->dev)) && (!HAS(r, COMM) || !strcmp(r->comm, f->comm));
}

static bool matches_remote(const struct dmm_rule *r, const struct dmm_explain *f)
{
	return (!HAS(r, DST) || prefix_has(&r->dst, &f->dst)) &&
	       (!HAS(r, DST_ZONE) || !strcmp(r->dst_zone, zone_of(&f->dst))) &&
	       (!HAS(r, DPORTS) || ranges_have(r->dports.v, r->dports.nr, f->dport)) &&
	       (!HAS(r, DPORT_SET) || set_has(r->dport_set, f->dport));
}

/* Rules that look at the remote end do not decide a listener. */
static bool has_remote(const struct dmm_rule *r)
{
	return (HAS(r, DST) && r->dst.len) || HAS(r, DST_ZONE) || HAS(r, DPORTS) || HAS(r, DPORT_SET);
}

static bool goes_first(const struct rule *a, const struct rule *b)
{
	unsigned int a_dst = HAS(&a->r, DST) ? a->r.dst.len : 0, b_dst = HAS(&b->r, DST) ? b->r.dst.len : 0;
	unsigned int a_src = HAS(&a->r, SRC) ? a->r.src.len : 0, b_src = HAS(&b->r, SRC) ? b->r.src.len : 0;

	if (a->r.prio != b->r.prio)
		return a->r.prio < b->r.prio;
	if (a_dst != b_dst)
		return a_dst > b_dst;
	if (a_src != b_src)
		return a_src > b_src;
	return a->id < b->id;
}

static const struct rule *first_match(const struct dmm_explain *f)
{
	bool listening = f->role == DMM_ROLE_LISTEN && !(f->has & DMM_HAS(DMM_A_EXPLAIN_DST)) &&
			 !(f->has & DMM_HAS(DMM_A_EXPLAIN_DPORT));
	const struct rule *best = NULL;
	unsigned int i;

	for (i = 0; i < nr_rules; i++) {
		const struct rule *rule = &rules[i];

		if ((listening && has_remote(&rule->r)) || !matches_local(&rule->r, f) || !matches_remote(&rule->r, f))
			continue;
		if (!best || goes_first(rule, best))
			best = rule;
	}
	return best;
}

/* Asking the kernel. */

static void __attribute__((noreturn)) give_up(const char *what)
{
	char text[400];

	dmm_error_format(text, sizeof(text), dmm_client_error(client));
	ksft_note("%s: %s", what, text);
	exit(KSFT_FAIL);
}

static void must(int err, const char *what)
{
	if (err)
		give_up(what);
}

static void random_flow(struct dmm_explain *f)
{
	uint8_t family = random_family();

	*f = (struct dmm_explain){
		.has = DMM_HAS(DMM_A_EXPLAIN_ROLE) | DMM_HAS(DMM_A_EXPLAIN_TYPE) | DMM_HAS(DMM_A_EXPLAIN_FAMILY) |
		       DMM_HAS(DMM_A_EXPLAIN_UID) | DMM_HAS(DMM_A_EXPLAIN_GID) | DMM_HAS(DMM_A_EXPLAIN_CGROUP) |
		       DMM_HAS(DMM_A_EXPLAIN_MARK) | DMM_HAS(DMM_A_EXPLAIN_DSCP) | DMM_HAS(DMM_A_EXPLAIN_DEV) |
		       DMM_HAS(DMM_A_EXPLAIN_COMM),
		.role = 1 + chance(2), .type = 1 + chance(2), .family = family,
		.uid = chance(8), .gid = chance(8), .mark = chance(16), .dscp = chance(3),
		.cgroup = random_cgroup(chance(5)), .dev = devs[chance(3)], .comm = comms[chance(3)],
		.src = { .family = family, .len = family == AF_INET ? 32 : 128 },
		.dst = { .family = family, .len = family == AF_INET ? 32 : 128 },
	};
	if (chance(3)) {
		f->has |= DMM_HAS(DMM_A_EXPLAIN_SRC) | DMM_HAS(DMM_A_EXPLAIN_SPORT);
		f->src = random_addr(family);
		f->sport = 1 + chance(14);
	}
	if (f->role == DMM_ROLE_CONNECT || chance(2)) {
		f->has |= DMM_HAS(DMM_A_EXPLAIN_DST) | DMM_HAS(DMM_A_EXPLAIN_DPORT);
		f->dst = random_addr(family);
		f->dport = 1 + chance(14);
	}
}

struct reply {
	uint32_t rule;
	char src_zone[DMM_NAME_MAX], dst_zone[DMM_NAME_MAX];
};

static int take_reply(void *arg, const struct dmm_object *obj)
{
	const struct dmm_explain *e = obj->explain;
	struct reply *reply = arg;

	memset(reply, 0, sizeof(*reply));
	reply->rule = e->rule;
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_SRC_ZONE))
		strcpy(reply->src_zone, e->src_zone);
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_DST_ZONE))
		strcpy(reply->dst_zone, e->dst_zone);
	return 0;
}

static void show_rule(const char *what, uint32_t id)
{
	char text[600] = "the built-in rule";
	unsigned int i;

	for (i = 0; i < nr_rules; i++)
		if (rules[i].id == id)
			dmm_rule_format(text, sizeof(text), &rules[i].r);
	ksft_note("%s: %u, %s", what, id, text);
}

static void show_flow(const struct dmm_explain *f)
{
	char src[64], dst[64];

	dmm_prefix_format(src, sizeof(src), &f->src);
	dmm_prefix_format(dst, sizeof(dst), &f->dst);
	ksft_note("flow: role %u type %u %s:%u to %s:%u uid %u gid %u cgroup %s mark %u dscp %u dev %s comm %s", f->role,
		  f->type, src, f->sport, dst, f->dport, f->uid, f->gid, f->cgroup, f->mark, f->dscp, f->dev, f->comm);
}

static bool check_flow(void)
{
	const struct rule *expected;
	struct dmm_explain f, asked;
	struct reply reply;

	random_flow(&f);
	expected = first_match(&f);
	asked_for++;
	decided += !!expected;
	asked = f;
	/* Half of the IPv4 addresses come in their IPv6 form; the family is then theirs to say. */
	if (f.family == AF_INET && chance(2)) {
		asked.has &= ~DMM_HAS(DMM_A_EXPLAIN_FAMILY);
		map(&asked.src);
		map(&asked.dst);
	}
	must(dmm_get(client, DMM_CMD_EXPLAIN, &asked, take_reply, &reply), "explain");
	if (reply.rule == (expected ? expected->id : 0) && !strcmp(reply.src_zone, zone_of(&f.src)) &&
	    !strcmp(reply.dst_zone, zone_of(&f.dst)))
		return true;
	if (wrong++ < COMPLAINTS) {
		show_flow(&f);
		show_rule("expected", expected ? expected->id : 0);
		show_rule("got", reply.rule);
		ksft_note("zones expected: %s %s, got: %s %s", zone_of(&f.src), zone_of(&f.dst), reply.src_zone, reply.dst_zone);
	}
	return false;
}

static bool check_flows(unsigned int nr)
{
	bool right = true;

	while (nr--)
		right &= check_flow();
	return right;
}

/* Changing the table, and the model with it. */

static void add_rule(void)
{
	struct rule *rule = &rules[nr_rules];
	struct dmm_change change = { .cmd = DMM_CMD_RULE_ADD };

	if (nr_rules == RULES_MAX)
		return;
	make_rule(rule);
	change.rule = rule->r;
	if (HAS(&rule->r, SRC) && rule->r.src.family == AF_INET && !chance(4))
		map(&change.rule.src);
	if (HAS(&rule->r, DST) && rule->r.dst.family == AF_INET && !chance(4))
		map(&change.rule.dst);
	must(dmm_rule_add(client, &change, &rule->id), "rule add");
	rule->born = true;
	nr_rules++;
}

static void del_rule(void)
{
	struct rule *rule = &rules[chance(nr_rules)];
	struct dmm_change change = { .cmd = DMM_CMD_RULE_DEL, .rule = { .has = DMM_HAS(DMM_A_RULE_ID), .id = rule->id } };

	if (!nr_rules || rule->dead)
		return;
	must(dmm_change(client, &change), "rule del");
	rule->dead = true;
}

static void change_zone(int cmd, unsigned int zone, const struct dmm_prefix *p)
{
	struct dmm_change change = {
		.cmd = cmd,
		.zone = { .has = DMM_HAS(DMM_A_ZONE_NAME) | (p ? DMM_HAS(DMM_A_ZONE_PREFIXES) : 0),
			  .name = zone_names[zone], .prefixes = { .v = p, .nr = !!p } },
	};

	must(dmm_change(client, &change), "zone");
}

static void add_prefix(void)
{
	struct zone_prefix *new = &prefixes[nr_prefixes];
	uint8_t family = random_family();
	unsigned int i;

	if (nr_prefixes == PREFIXES_MAX)
		return;
	random_prefix(&new->p, family, random_len(family));
	new->zone = chance(ZONES);
	for (i = 0; i < nr_prefixes; i++)
		if (!memcmp(&prefixes[i].p, &new->p, sizeof(new->p)))
			return;
	change_zone(DMM_CMD_ZONE_ADD, new->zone, &new->p);
	nr_prefixes++;
}

static void del_prefix(void)
{
	unsigned int i = chance(nr_prefixes);

	if (!nr_prefixes || chance(2))
		return;
	change_zone(DMM_CMD_ZONE_DEL, prefixes[i].zone, &prefixes[i].p);
	prefixes[i] = prefixes[--nr_prefixes];
}

static void replace_set(unsigned int i)
{
	struct ports *set = &sets[i];
	struct dmm_change change = { .cmd = DMM_CMD_SET_ADD, .replace = true };

	set->nr = random_ranges(set->range, false);
	change.set = (struct dmm_set){
		.has = DMM_HAS(DMM_A_SET_NAME) | DMM_HAS(DMM_A_SET_RANGES),
		.name = set_names[i], .ranges = { .v = set->range, .nr = set->nr },
	};
	must(dmm_change(client, &change), "set");
}

/* Keep the rules that the transaction leaves. */
static void settle(bool committed)
{
	unsigned int i, nr = 0;

	for (i = 0; i < nr_rules; i++) {
		if (committed ? rules[i].dead : rules[i].born)
			continue;
		rules[nr] = rules[i];
		rules[nr].born = rules[nr].dead = false;
		rules[nr].r.sports.v = rules[nr].sports;
		rules[nr].r.dports.v = rules[nr].dports;
		nr++;
	}
	nr_rules = nr;
}

static void fill(unsigned int nr)
{
	struct dmm_change flush = { .cmd = DMM_CMD_FLUSH };
	unsigned int i;

	for (i = 0; i < SHAPES; i++)
		make_shape(&shapes[i]);
	nr_rules = nr_prefixes = 0;
	must(dmm_begin(client, NULL), "begin");
	must(dmm_change(client, &flush), "flush");
	for (i = 0; i < ZONES; i++)
		change_zone(DMM_CMD_ZONE_ADD, i, NULL);
	for (i = 0; i < SETS; i++)
		replace_set(i);
	for (i = 0; i < 30; i++)
		add_prefix();
	for (i = 0; i < nr; i++)
		add_rule();
	must(dmm_commit(client, NULL), "commit");
	settle(true);
}

/* One transaction of random changes; some do not happen. */
static void churn(void)
{
	static struct zone_prefix old_prefixes[PREFIXES_MAX];
	static struct ports old_sets[SETS];
	unsigned int i, old_nr = nr_prefixes, nr = chance(40);
	bool committed = chance(4);

	memcpy(old_prefixes, prefixes, sizeof(prefixes));
	memcpy(old_sets, sets, sizeof(sets));
	must(dmm_begin(client, NULL), "begin");
	for (i = 0; i < nr; i++) {
		switch (chance(10)) {
		case 0:
			add_prefix();
			break;
		case 1:
			del_prefix();
			break;
		case 2:
			replace_set(chance(SETS));
			break;
		case 3: case 4: case 5: case 6:
			add_rule();
			break;
		default:
			del_rule();
		}
	}
	if (committed) {
		must(dmm_commit(client, NULL), "commit");
	} else {
		dmm_abort(client);
		memcpy(prefixes, old_prefixes, sizeof(prefixes));
		memcpy(sets, old_sets, sizeof(sets));
		nr_prefixes = old_nr;
	}
	settle(committed);
}

struct listing {
	const struct rule *last;
	unsigned int nr;
	bool wrong;
};

static int take_listed(void *arg, const struct dmm_object *obj)
{
	struct listing *l = arg;
	unsigned int i;

	for (i = 0; i < nr_rules && rules[i].id != obj->rule->id; i++)
		;
	l->wrong |= i == nr_rules || (l->last && !goes_first(l->last, &rules[i]));
	l->last = &rules[i];
	l->nr++;
	return 0;
}

/* The kernel's list of rules is the model's, in its order. */
static bool same_rules(void)
{
	struct listing listing = { 0 };

	must(dmm_dump(client, DMM_CMD_RULE_GET, NULL, take_listed, &listing), "dump");
	return !listing.wrong && listing.nr == nr_rules;
}

static bool set_up(void)
{
	return !unshare(CLONE_NEWNET) &&
	       !system("printf 'link set lo up\naddr add 10.3.3.3/32 dev lo\naddr add fd00:3::3/128 dev lo nodad\n' |"
		       "ip -batch -");
}

int main(int argc, char **argv)
{
	static const struct {
		unsigned int rules;
		unsigned int flows;
	} sizes[] = { { 0, 50 }, { 1, 100 }, { 2, 100 }, { 10, 300 }, { 100, 700 }, { 500, 700 }, { 2000, 1000 } };
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
	unsigned int i, round;
	bool right = true;

	ksft_header();
	if (!set_up())
		ksft_skip_all("needs root and ip");
	if (dmm_open(&client))
		ksft_skip_all("the module is not loaded");
	ksft_note("seed %llu", (unsigned long long)seed);
	state = seed;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(sizes[i].rules);
		ksft_result(check_flows(sizes[i].flows) && same_rules(), "%u rules, %u flows", nr_rules, sizes[i].flows);
	}
	for (i = 0; i < 2; i++) {
		fill(i ? 1000 : 20);
		for (round = 0; round < ROUNDS; round++) {
			churn();
			right &= check_flows(25) && same_rules();
		}
		ksft_result(right, "%u transactions, at the end %u rules and %u prefixes", ROUNDS, nr_rules, nr_prefixes);
	}
	ksft_note("%u of %u flows were decided by a rule", decided, asked_for);
	ksft_finish();
}
