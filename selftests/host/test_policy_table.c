// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of rules: the difference of two leads from one to the other and
 * leaves alone what is in both; what is said of two rules holds for every
 * socket; and objects survive a journey through netlink attributes.
 */
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <dmm/policy.h>

#include "../../lib/internal.h"
#include "kselftest.h"

static unsigned int seed;

static unsigned int rnd(unsigned int below)
{
	return rand_r(&seed) % below;
}

/* A rule out of few values, so that rules often have to do with each other. */

static struct dmm_prefix random_prefix(void)
{
	struct dmm_prefix p = { .family = AF_INET };

	if (!rnd(4)) {
		p.family = AF_INET6;
		p.len = rnd(2) * 8;
		p.addr[0] = p.len ? 0xfd : 0;
		return p;
	}
	p.len = rnd(3) * 8;
	if (p.len >= 8)
		p.addr[0] = 10 + rnd(2);
	if (p.len >= 16)
		p.addr[1] = rnd(2);
	return p;
}

static void random_match(struct dmm_rule *r, struct dmm_port_range *ports)
{
	static const char *const cgroups[] = { "/a", "/a/b", "/ab" };

	if (!rnd(3)) {
		r->has |= DMM_HAS(DMM_A_RULE_ROLE);
		r->role = DMM_ROLE_CONNECT + rnd(2);
	}
	if (!rnd(3)) {
		r->has |= DMM_HAS(DMM_A_RULE_TYPE);
		r->type = rnd(2) ? SOCK_STREAM : SOCK_DGRAM;
	}
	if (!rnd(2)) {
		r->has |= DMM_HAS(DMM_A_RULE_DST);
		r->dst = random_prefix();
	}
	if (!rnd(3)) {
		r->has |= DMM_HAS(DMM_A_RULE_DPORTS);
		ports[0].lo = rnd(4);
		ports[0].hi = ports[0].lo + rnd(2);
		ports[1].lo = ports[1].hi = 7;
		r->dports = (struct dmm_ports){ ports, 1 + rnd(2) };
	}
	if (!rnd(4)) {
		r->has |= DMM_HAS(DMM_A_RULE_UID_LO) | DMM_HAS(DMM_A_RULE_UID_HI);
		r->uid_lo = rnd(3);
		r->uid_hi = r->uid_lo + rnd(2);
	}
	if (!rnd(4)) {
		r->has |= DMM_HAS(DMM_A_RULE_MARK) | DMM_HAS(DMM_A_RULE_MARK_MASK);
		r->mark_mask = 1 + rnd(3);
		r->mark = rnd(4) & r->mark_mask;
	}
	if (!rnd(4)) {
		r->has |= DMM_HAS(DMM_A_RULE_CGROUP);
		r->cgroup = cgroups[rnd(ARRAY_SIZE(cgroups))];
	}
	if (!rnd(5)) {
		r->has |= DMM_HAS(DMM_A_RULE_DST_ZONE);
		r->dst_zone = rnd(2) ? "z1" : "z2";
	}
}

static void random_action(struct dmm_rule *r)
{
	r->has |= DMM_HAS(DMM_A_RULE_VERDICT);
	if (rnd(2)) {
		r->verdict = DMM_VERDICT_REJECT;
		return;
	}
	r->has |= DMM_HAS(DMM_A_RULE_STACK);
	r->stack.v[0] = rnd(2) ? "a" : "b";
	r->stack.v[1] = "kernel";
	r->stack.nr = 2;
	if (!rnd(3)) {
		r->has |= DMM_HAS(DMM_A_RULE_SET_CC);
		r->set_cc = "reno";
	}
}

static void random_rule(struct dmm_rule *r, struct dmm_port_range *ports)
{
	memset(r, 0, sizeof(*r));
	r->has = DMM_HAS(DMM_A_RULE_PRIO) | DMM_HAS(DMM_A_RULE_ORIGIN);
	r->prio = rnd(3);
	r->origin = rnd(2);
	random_match(r, ports);
	random_action(r);
}

/* A socket, and whether a rule matches it: written apart from the library's view of rules. */

struct flow {
	uint8_t role;
	uint8_t type;
	uint8_t family;
	uint8_t addr[16];
	uint16_t port;
	uint32_t uid;
	uint32_t mark;
	const char *cgroup;
	const char *zone;
};

static void random_flow(struct flow *f)
{
	static const char *const cgroups[] = { "/", "/a", "/a/b", "/a/b/c", "/ab", "/a/c" };

	memset(f, 0, sizeof(*f));
	f->role = DMM_ROLE_CONNECT + rnd(2);
	f->type = rnd(2) ? SOCK_STREAM : SOCK_DGRAM;
	f->family = rnd(4) ? AF_INET : AF_INET6;
	f->addr[0] = f->family == AF_INET ? 10 + rnd(3) : 0xfc + rnd(2);
	f->addr[1] = rnd(2);
	f->port = rnd(9);
	f->uid = rnd(5);
	f->mark = rnd(4);
	f->cgroup = cgroups[rnd(ARRAY_SIZE(cgroups))];
	f->zone = rnd(2) ? "z1" : "z2";
}

static bool prefix_has(const struct dmm_prefix *p, const struct flow *f)
{
	return p->family == f->family && !memcmp(p->addr, f->addr, p->len / 8);
}

static bool ports_have(const struct dmm_ports *ports, uint16_t port)
{
	for (uint32_t i = 0; i < ports->nr; i++)
		if (ports->v[i].lo <= port && port <= ports->v[i].hi)
			return true;
	return false;
}

static bool subtree_has(const char *top, const char *path)
{
	size_t len = strlen(top);

	return !strcmp(top, path) || (!strncmp(top, path, len) && path[len] == '/');
}

static bool matches(const struct dmm_rule *r, const struct flow *f)
{
	uint64_t has = r->has;

	return (!(has & DMM_HAS(DMM_A_RULE_ROLE)) || r->role == f->role) &&
	       (!(has & DMM_HAS(DMM_A_RULE_TYPE)) || r->type == f->type) &&
	       (!(has & DMM_HAS(DMM_A_RULE_DST)) || prefix_has(&r->dst, f)) &&
	       (!(has & DMM_HAS(DMM_A_RULE_DPORTS)) || ports_have(&r->dports, f->port)) &&
	       (!(has & DMM_HAS(DMM_A_RULE_UID_LO)) ||
		(r->uid_lo <= f->uid && f->uid <= r->uid_hi)) &&
	       (!(has & DMM_HAS(DMM_A_RULE_MARK)) || (f->mark & r->mark_mask) == r->mark) &&
	       (!(has & DMM_HAS(DMM_A_RULE_CGROUP)) || subtree_has(r->cgroup, f->cgroup)) &&
	       (!(has & DMM_HAS(DMM_A_RULE_DST_ZONE)) || !strcmp(r->dst_zone, f->zone));
}

static void test_relations(void)
{
	unsigned int start = seed, wrong = 0, overlaps = 0, covers = 0;

	for (int i = 0; i < 20000; i++) {
		struct dmm_port_range pa[2], pb[2];
		struct dmm_rule a, b;
		struct flow f;

		random_rule(&a, pa);
		random_rule(&b, pb);
		overlaps += dmm_rule_overlaps(&a, &b);
		covers += dmm_rule_covers(&a, &b);
		for (int n = 0; n < 50; n++) {
			random_flow(&f);
			if (matches(&a, &f) && matches(&b, &f) && !dmm_rule_overlaps(&a, &b))
				wrong++;
			if (matches(&b, &f) && !matches(&a, &f) && dmm_rule_covers(&a, &b))
				wrong++;
		}
	}
	ksft_result(!wrong && overlaps && covers,
		    "overlaps and covers hold for sockets (seed %u, %u and %u pairs, %u wrong)",
		    start, overlaps, covers, wrong);
}

/* A model of the kernel's table, to which changes are applied. */

enum { MODEL_MAX = 64 };

struct model_rule {
	struct dmm_rule rule;
	struct dmm_port_range ports[2];
	uint32_t id;
};

struct model {
	struct model_rule rules[MODEL_MAX];
	unsigned int nr;
	uint32_t next_id;
	unsigned int failed;
};

static void model_add(struct model *m, const struct dmm_rule *rule)
{
	struct model_rule *r = &m->rules[m->nr++];

	r->rule = *rule;
	if (rule->dports.nr) {
		memcpy(r->ports, rule->dports.v, rule->dports.nr * sizeof(*r->ports));
		r->rule.dports.v = r->ports;
	}
	r->id = ++m->next_id;
	r->rule.id = r->id;
	r->rule.has |= DMM_HAS(DMM_A_RULE_ID);
}

static void model_del(struct model *m, uint32_t id)
{
	for (unsigned int i = 0; i < m->nr; i++) {
		if (m->rules[i].id != id)
			continue;
		m->rules[i] = m->rules[--m->nr];
		m->rules[i].rule.dports.v = m->rules[i].ports;
		return;
	}
	m->failed++;
}

static int model_change(void *arg, const struct dmm_change *ch)
{
	if (ch->cmd == DMM_CMD_RULE_ADD)
		model_add(arg, &ch->rule);
	else if (ch->cmd == DMM_CMD_RULE_DEL)
		model_del(arg, ch->rule.id);
	return 0;
}

static unsigned int dst_len(const struct dmm_rule *r)
{
	return r->has & DMM_HAS(DMM_A_RULE_DST) ? r->dst.len : 0;
}

/* First by priority, longer prefix, age: as doc/policy.md has it. */
static const struct dmm_rule *model_decide(const struct model *m, const struct flow *f)
{
	const struct model_rule *best = NULL;

	for (unsigned int i = 0; i < m->nr; i++) {
		const struct model_rule *r = &m->rules[i];

		if (!matches(&r->rule, f))
			continue;
		if (!best || r->rule.prio < best->rule.prio ||
		    (r->rule.prio == best->rule.prio &&
		     (dst_len(&r->rule) > dst_len(&best->rule) ||
		      (dst_len(&r->rule) == dst_len(&best->rule) && r->id < best->id))))
			best = r;
	}
	return best ? &best->rule : NULL;
}

static int table_of(const struct model *m, struct dmm_table **table)
{
	struct dmm_change ch = { .cmd = DMM_CMD_RULE_ADD };
	uint32_t done = 0;
	int err = dmm_table_new(table);

	/* In the order of their ids, as the kernel dumps rules of one rank. */
	for (unsigned int n = 0; n < m->nr && !err; n++) {
		const struct model_rule *next = NULL;

		for (unsigned int i = 0; i < m->nr; i++)
			if (m->rules[i].id > done && (!next || m->rules[i].id < next->id))
				next = &m->rules[i];
		done = next->id;
		ch.rule = next->rule;
		err = dmm_table_add(*table, &ch);
	}
	return err;
}

static void random_model(struct model *m, const struct model *like)
{
	struct dmm_port_range ports[2];
	struct dmm_rule r;

	memset(m, 0, sizeof(*m));
	for (unsigned int n = 1 + rnd(12); n; n--) {
		if (like && rnd(4) && like->nr) {
			r = like->rules[rnd(like->nr)].rule;
			/* Other origins are not to be touched: take only those that are. */
			if (r.origin != DMM_ORIGIN_FILE)
				continue;
		} else {
			random_rule(&r, ports);
			if (like)
				r.origin = DMM_ORIGIN_FILE;
		}
		model_add(m, &r);
	}
}

static bool same_decision(const struct dmm_rule *a, const struct dmm_rule *b)
{
	if (!a || !b)
		return a == b;
	return a->prio == b->prio && dmm_rule_same_action(a, b);
}

static unsigned int count_kept(const struct model *m, uint32_t last_id)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < m->nr; i++)
		n += m->rules[i].id <= last_id;
	return n;
}

/* Replace the rules of one origin; the result must decide as the new rules do. */
static unsigned int diff_once(unsigned int *kept)
{
	struct model now, want;
	struct dmm_table *from, *to;
	unsigned int wrong = 0, others = 0;
	uint32_t last_id;
	struct flow f;

	random_model(&now, NULL);
	random_model(&want, &now);
	last_id = now.next_id;
	if (table_of(&now, &from) || table_of(&want, &to))
		return 1;
	if (dmm_table_diff(from, to, 1u << DMM_ORIGIN_FILE, model_change, &now))
		wrong++;
	wrong += now.failed;
	*kept += count_kept(&now, last_id);
	/* Without the rules of other origins the two are the same. */
	for (unsigned int i = now.nr; i--; )
		if (now.rules[i].rule.origin != DMM_ORIGIN_FILE) {
			model_del(&now, now.rules[i].id);
			others++;
		}
	wrong += now.nr != want.nr;
	*kept -= others;
	for (int n = 0; n < 100; n++) {
		random_flow(&f);
		wrong += !same_decision(model_decide(&now, &f), model_decide(&want, &f));
	}
	/* Strings of rules that were added are the tables'. */
	dmm_table_free(from);
	dmm_table_free(to);
	return wrong;
}

static void test_diff(void)
{
	unsigned int start = seed, wrong = 0, kept = 0;

	for (int i = 0; i < 5000; i++)
		wrong += diff_once(&kept);
	ksft_result(!wrong && kept, "a table after the difference decides as the new one (seed %u, %u rules kept)",
		    start, kept);
}

/* Tables out of text, and the difference as text. */

static int add_to_table(void *arg, const struct dmm_change *ch)
{
	return dmm_table_add(arg, ch);
}

static int append(void *arg, const struct dmm_change *ch)
{
	char *out = arg;
	size_t used = strlen(out);

	used += dmm_change_format(out + used, 4096 - used, ch);
	strcpy(out + used, "\n");
	return 0;
}

static struct dmm_table *table_from(const char *text)
{
	struct dmm_parser *p;
	struct dmm_table *t;

	if (dmm_parser_new(&p) || dmm_table_new(&t))
		exit(KSFT_FAIL);
	if (dmm_parse_text(p, "t", 1, text, strlen(text), add_to_table, t))
		ksft_note("%s", dmm_parser_error(p)->msg);
	dmm_parser_free(p);
	return t;
}

static void expect_diff(const char *from, const char *to, const char *want, const char *name)
{
	struct dmm_table *a = table_from(from), *b = table_from(to);
	char got[4096] = "";

	dmm_table_diff(a, b, ~0u, append, got);
	if (!ksft_result(!strcmp(got, want), "%s", name))
		ksft_note("%s", got);
	dmm_table_free(a);
	dmm_table_free(b);
}

static void test_diff_text(void)
{
	expect_diff("zone add a 10.0.0.0/8 11.0.0.0/8 fd00::/8\nzone add gone 1.2.3.4",
		    "zone add a fd00::/8 12.0.0.0/8 10.0.0.0/8\nzone add new 1.2.3.4",
		    "zone del a origin cli 11.0.0.0/8\nzone del gone\n"
		    "zone add a origin cli 12.0.0.0/8\nzone add new origin cli 1.2.3.4\n",
		    "prefixes go from zone to zone");
	expect_diff("set add a port 1-3\nset add b port 1\nset add c port 1",
		    "set add a port 3,2,1\nset add b port 2\nset add c origin file port 1",
		    "set del c\nset replace b origin cli port { 2 }\nset add c origin file port { 1 }\n",
		    "sets are replaced, or made anew if of another origin");
	expect_diff("group add a x\ngroup add b x\ngroup add c x\nrule add group c",
		    "group add a { x weight 100 }\ngroup add b x weight 2, y\ngroup add c origin file x",
		    "rule del prio 500 origin cli\ngroup del c\n"
		    "group set b origin cli { x weight 2, y weight 100 }\n"
		    "group add c origin file { x weight 100 }\n",
		    "and so are groups");
	expect_diff("rule add stack a race 20", "rule add stack a race 20 kernel",
		    "rule del prio 500 origin cli\nrule add prio 500 origin cli stack a race 20 kernel\n",
		    "a race that the kernel takes part in is another");
	expect_diff("rule add reject", "rule add prio 500 origin cli fallback reject", "",
		    "defaults are what they stand for");
	expect_diff("rule add dport 1 reject\nrule add dport 3 reject",
		    "rule add dport 1 reject\nrule add dport 2 reject\nrule add dport 3 reject",
		    "rule add prio 500 origin cli dport 2 reject\n",
		    "a rule between rules that do not touch it leaves them alone");
	expect_diff("rule add dport 1 reject\nrule add reject",
		    "rule add dport 1 reject\nrule add dport 2 stack a\nrule add reject",
		    "rule del prio 500 origin cli\nrule add prio 500 origin cli dport 2 stack a\n"
		    "rule add prio 500 origin cli reject\n",
		    "a rule behind a new one that it would hide is added anew");
	expect_diff("rule add dport 1 reject\nrule add sport 1 stack a",
		    "rule add sport 1 stack a\nrule add dport 1 reject",
		    "rule del prio 500 origin cli\nrule add prio 500 origin cli dport 1 reject\n",
		    "rules that change places");
}

/* Findings as text: number of the rule's line, kind, line of the other. */
static int append_finding(void *arg, enum dmm_finding what, const struct dmm_change *rule,
			  const struct dmm_change *other)
{
	static const char *const kinds[] = { "shadowed", "overlap", "gave-up" };
	char *out = arg;

	sprintf(out + strlen(out), "%u %s %u\n", rule->loc.line, kinds[what],
		other ? other->loc.line : 0);
	return 0;
}

static void expect_findings(const char *text, const char *want, unsigned int want_masks,
			    const char *name)
{
	struct dmm_table *t = table_from(text);
	unsigned int masks;
	char got[4096] = "";

	dmm_table_check(t, &masks, append_finding, got);
	if (!ksft_result(!strcmp(got, want) && masks == want_masks, "%s", name))
		ksft_note("%u masks: %s", masks, got);
	dmm_table_free(t);
}

static void test_check(void)
{
	expect_findings("rule add dst 10.0.0.0/8 reject\nrule add prio 600 dst 10.1.0.0/16 tcp reject\n"
			"rule add prio 400 dst 10.2.0.0/16 reject",
			"2 shadowed 1\n", 3, "a wider rule before it shadows a rule");
	expect_findings("rule add dport 1-10 reject\nrule add dport 5 stack a\nrule add dport 5-11 stack a",
			"2 shadowed 1\n3 overlap 1\n", 2, "ranges of ports");
	expect_findings("rule add cgroup /a reject\nrule add cgroup /a/b stack a\nrule add cgroup /ab stack a",
			"2 shadowed 1\n", 2, "subtrees");
	expect_findings("rule add mark 1/1 reject\nrule add mark 3/3 stack a\nrule add mark 2/3 stack a",
			"2 shadowed 1\n", 2, "masks of marks");
	expect_findings("rule add dst zone a reject\nrule add dst zone b reject\nrule add dst zone a stack b",
			"3 shadowed 1\n", 1, "zones");
	expect_findings("rule add uid 1 dport 1 reject\nrule add uid 2 dport 2 reject\n"
			"rule add uid 1 dport 2 stack a\nrule add dst 10.0.0.0/8 stack a",
			"", 2, "rules that only look alike");
}

/* Objects as netlink attributes and back. */
static void test_messages(void)
{
	unsigned int start = seed, wrong = 0;
	_Alignas(8) char buf[4096];
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

	for (int i = 0; i < 5000; i++) {
		struct dmm_port_range ports[2];
		struct dmm_rule a, b;

		random_rule(&a, ports);
		memset(nlh, 0, NLMSG_HDRLEN + GENL_HDRLEN);
		nlh->nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
		if (dmm_msg_put(nlh, buf + sizeof(buf), &dmm_type_rule, &a, ~UINT64_C(0)) ||
		    dmm_msg_get(nlh, &dmm_type_rule, &b) || a.has != b.has) {
			wrong++;
			continue;
		}
		for (unsigned int attr = 0; attr < dmm_type_rule.nr; attr++)
			if (a.has & DMM_HAS(attr))
				wrong += !dmm_field_equal(&dmm_type_rule.fields[attr], &a, &b);
	}
	ksft_result(!wrong, "rules survive netlink (seed %u)", start);
	nlh->nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	ksft_result(dmm_msg_put(nlh, buf + 24, &dmm_type_rule, &(struct dmm_rule){
				.has = DMM_HAS(DMM_A_RULE_COMM), .comm = "x" }, ~UINT64_C(0)) == -EMSGSIZE,
		    "a message that is full says so");
}

int main(void)
{
	const char *env = getenv("SEED");

	seed = env ? (unsigned int)atoi(env) : (unsigned int)time(NULL);
	ksft_header();
	test_messages();
	test_relations();
	test_diff_text();
	test_diff();
	test_check();
	ksft_finish();
}
