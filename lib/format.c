// SPDX-License-Identifier: Apache-2.0
/* Objects as text in the policy language: what is printed parses to the same object. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static void add_prefix(struct dmm_text *t, const struct dmm_prefix *p)
{
	char addr[INET6_ADDRSTRLEN];

	if (!inet_ntop(p->family, p->addr, addr, sizeof(addr)))
		return dmm_text_puts(t, "?");
	dmm_text_puts(t, addr);
	if (p->len != (p->family == AF_INET ? 32 : 128))
		dmm_text_printf(t, "/%u", p->len);
}

DMM_EXPORT size_t dmm_prefix_format(char *buf, size_t len, const struct dmm_prefix *prefix)
{
	struct dmm_text t = { .buf = buf, .size = len };

	add_prefix(&t, prefix);
	return dmm_text_end(&t);
}

/* Words of a command are set apart by blanks. */
static void blank(struct dmm_text *t)
{
	if (t->len)
		dmm_text_putc(t, ' ');
}

static void add_key(struct dmm_text *t, const char *key)
{
	blank(t);
	dmm_text_puts(t, key);
}

static void add_str(struct dmm_text *t, const char *key, const char *s)
{
	add_key(t, key);
	blank(t);
	dmm_text_word(t, s, strlen(s));
}

static void add_u32(struct dmm_text *t, const char *key, uint32_t v)
{
	add_key(t, key);
	dmm_text_printf(t, " %u", v);
}

static void add_addr(struct dmm_text *t, const char *key, const struct dmm_prefix *p)
{
	add_key(t, key);
	blank(t);
	add_prefix(t, p);
}

static void add_ports(struct dmm_text *t, const struct dmm_ports *ports, const char *separator)
{
	for (uint32_t i = 0; i < ports->nr; i++) {
		const struct dmm_port_range *r = &ports->v[i];

		dmm_text_printf(t, "%s%u", i ? separator : "", r->lo);
		if (r->hi != r->lo)
			dmm_text_printf(t, "-%u", r->hi);
	}
}

static void add_port_key(struct dmm_text *t, const char *key, const struct dmm_ports *ports)
{
	add_key(t, key);
	blank(t);
	add_ports(t, ports, ",");
}

static void add_ids(struct dmm_text *t, const char *key, uint32_t lo, uint32_t hi)
{
	add_u32(t, key, lo);
	if (hi != lo)
		dmm_text_printf(t, "-%u", hi);
}

static void add_mark(struct dmm_text *t, const struct dmm_rule *r)
{
	add_key(t, "mark");
	dmm_text_printf(t, " 0x%x", r->mark);
	if (r->has & DMM_HAS(DMM_A_RULE_MARK_MASK) && r->mark_mask != UINT32_MAX)
		dmm_text_printf(t, "/0x%x", r->mark_mask);
}

static void add_dscp(struct dmm_text *t, unsigned int dscp)
{
	const char *name = dmm_value_dscp_name(dscp);

	if (name)
		add_str(t, "dscp", name);
	else
		add_u32(t, "dscp", dscp);
}

static void add_names(struct dmm_text *t, const char *key, const struct dmm_names *names)
{
	add_key(t, key);
	for (uint32_t i = 0; i < names->nr; i++) {
		dmm_text_putc(t, i ? ',' : ' ');
		dmm_text_word(t, names->v[i], strlen(names->v[i]));
	}
}

static bool has(const struct dmm_rule *r, unsigned int attr)
{
	return r->has & DMM_HAS(attr);
}

static void add_match(struct dmm_text *t, const struct dmm_rule *r)
{
	if (has(r, DMM_A_RULE_ROLE) && r->role != DMM_ROLE_ANY)
		add_key(t, dmm_role_name(r->role));
	if (has(r, DMM_A_RULE_TYPE))
		add_key(t, r->type == SOCK_STREAM ? "tcp" : "udp");
	if (has(r, DMM_A_RULE_FAMILY))
		add_key(t, r->family == AF_INET ? "inet" : "inet6");
	if (has(r, DMM_A_RULE_SRC))
		add_addr(t, "src", &r->src);
	if (has(r, DMM_A_RULE_SRC_ZONE))
		add_str(t, "src zone", r->src_zone);
	if (has(r, DMM_A_RULE_DST))
		add_addr(t, "dst", &r->dst);
	if (has(r, DMM_A_RULE_DST_ZONE))
		add_str(t, "dst zone", r->dst_zone);
	if (has(r, DMM_A_RULE_SPORTS))
		add_port_key(t, "sport", &r->sports);
	if (has(r, DMM_A_RULE_SPORT_SET))
		add_str(t, "sport set", r->sport_set);
	if (has(r, DMM_A_RULE_DPORTS))
		add_port_key(t, "dport", &r->dports);
	if (has(r, DMM_A_RULE_DPORT_SET))
		add_str(t, "dport set", r->dport_set);
	if (has(r, DMM_A_RULE_UID_LO))
		add_ids(t, "uid", r->uid_lo, r->uid_hi);
	if (has(r, DMM_A_RULE_GID_LO))
		add_ids(t, "gid", r->gid_lo, r->gid_hi);
	if (has(r, DMM_A_RULE_CGROUP))
		add_str(t, "cgroup", r->cgroup);
	if (has(r, DMM_A_RULE_MARK))
		add_mark(t, r);
	if (has(r, DMM_A_RULE_DSCP))
		add_dscp(t, r->dscp);
	if (has(r, DMM_A_RULE_DEV))
		add_str(t, "dev", r->dev);
	if (has(r, DMM_A_RULE_COMM))
		add_str(t, "comm", r->comm);
}

static void add_action(struct dmm_text *t, const struct dmm_rule *r)
{
	if (has(r, DMM_A_RULE_STACK))
		add_names(t, "stack", &r->stack);
	else if (has(r, DMM_A_RULE_GROUP))
		add_str(t, "group", r->group);
	else if (has(r, DMM_A_RULE_VERDICT) && r->verdict == DMM_VERDICT_REJECT)
		add_key(t, "reject");
	if (has(r, DMM_A_RULE_TIMEOUT))
		add_u32(t, "timeout", r->timeout);
	if (has(r, DMM_A_RULE_RACE))
		add_u32(t, "race", r->race);
	if (has(r, DMM_A_RULE_RACE) && r->flags & DMM_RULE_F_RACE_KERNEL)
		add_key(t, "kernel");
	if (has(r, DMM_A_RULE_SET_CC))
		add_str(t, "cc", r->set_cc);
	if (has(r, DMM_A_RULE_SET_MARK)) {
		add_key(t, "setmark");
		dmm_text_printf(t, " 0x%x", r->set_mark);
	}
	if (has(r, DMM_A_RULE_SET_TOS)) {
		add_key(t, "tos");
		dmm_text_printf(t, " 0x%x", r->set_tos);
	}
	if (has(r, DMM_A_RULE_SET_KEEPIDLE))
		add_u32(t, "keepidle", r->set_keepidle);
	if (has(r, DMM_A_RULE_SET_KEEPINTVL))
		add_u32(t, "keepintvl", r->set_keepintvl);
	if (has(r, DMM_A_RULE_SET_KEEPCNT))
		add_u32(t, "keepcnt", r->set_keepcnt);
	if (has(r, DMM_A_RULE_FLAGS) && r->flags & DMM_RULE_F_STRICT)
		add_key(t, "strict");
}

static void add_origin(struct dmm_text *t, bool present, unsigned int origin)
{
	if (present && dmm_origin_name(origin))
		add_str(t, "origin", dmm_origin_name(origin));
}

static void add_rule(struct dmm_text *t, const struct dmm_rule *r)
{
	if (has(r, DMM_A_RULE_PRIO))
		add_u32(t, "prio", r->prio);
	add_origin(t, has(r, DMM_A_RULE_ORIGIN), r->origin);
	add_match(t, r);
	add_action(t, r);
}

DMM_EXPORT size_t dmm_rule_format(char *buf, size_t len, const struct dmm_rule *rule)
{
	struct dmm_text t = { .buf = buf, .size = len };

	add_rule(&t, rule);
	return dmm_text_end(&t);
}

static void add_zone(struct dmm_text *t, const char *command, const struct dmm_zone *z)
{
	add_str(t, command, z->name);
	add_origin(t, z->has & DMM_HAS(DMM_A_ZONE_ORIGIN), z->origin);
	if (!(z->has & DMM_HAS(DMM_A_ZONE_PREFIXES)))
		return;
	for (uint32_t i = 0; i < z->prefixes.nr; i++) {
		blank(t);
		add_prefix(t, &z->prefixes.v[i]);
	}
}

static void add_set(struct dmm_text *t, const char *command, const struct dmm_set *s)
{
	add_str(t, command, s->name);
	add_origin(t, s->has & DMM_HAS(DMM_A_SET_ORIGIN), s->origin);
	if (!(s->has & DMM_HAS(DMM_A_SET_RANGES)))
		return;
	dmm_text_puts(t, " port { ");
	add_ports(t, &s->ranges, ", ");
	dmm_text_puts(t, " }");
}

static void add_group(struct dmm_text *t, const char *command, const struct dmm_group *g)
{
	add_str(t, command, g->name);
	add_origin(t, g->has & DMM_HAS(DMM_A_GROUP_ORIGIN), g->origin);
	if (!(g->has & DMM_HAS(DMM_A_GROUP_MEMBERS)))
		return;
	dmm_text_puts(t, " {");
	for (uint32_t i = 0; i < g->members.nr; i++) {
		const struct dmm_member *m = &g->members.v[i];

		dmm_text_puts(t, i ? ", " : " ");
		dmm_text_word(t, m->name, strlen(m->name));
		dmm_text_printf(t, " weight %u", m->weight);
	}
	dmm_text_puts(t, " }");
}

static void add_rule_id(struct dmm_text *t, const char *command, const struct dmm_rule *r)
{
	add_key(t, command);
	if (has(r, DMM_A_RULE_ID))
		add_u32(t, "id", r->id);
	else if (has(r, DMM_A_RULE_PRIO))
		add_u32(t, "prio", r->prio);
	if (!has(r, DMM_A_RULE_ID))
		add_origin(t, has(r, DMM_A_RULE_ORIGIN), r->origin);
}

static void add_flush(struct dmm_text *t, const struct dmm_zone *z)
{
	add_key(t, "flush");
	if (z->has & DMM_HAS(DMM_A_ZONE_ORIGIN))
		add_origin(t, true, z->origin);
	else
		add_key(t, "all");
}

static void add_change(struct dmm_text *t, const struct dmm_change *ch)
{
	switch (ch->cmd) {
	case DMM_CMD_ZONE_ADD:
		return add_zone(t, "zone add", &ch->zone);
	case DMM_CMD_ZONE_DEL:
		return add_zone(t, "zone del", &ch->zone);
	case DMM_CMD_SET_ADD:
		return add_set(t, ch->replace ? "set replace" : "set add", &ch->set);
	case DMM_CMD_SET_DEL:
		return add_str(t, "set del", ch->set.name);
	case DMM_CMD_GROUP_ADD:
		return add_group(t, "group add", &ch->group);
	case DMM_CMD_GROUP_SET:
		return add_group(t, "group set", &ch->group);
	case DMM_CMD_GROUP_DEL:
		return add_str(t, "group del", ch->group.name);
	case DMM_CMD_RULE_ADD:
		add_key(t, "rule add");
		return add_rule(t, &ch->rule);
	case DMM_CMD_RULE_DEL:
		return add_rule_id(t, "rule del", &ch->rule);
	case DMM_CMD_RULE_ZERO:
		return add_rule_id(t, "rule zero", &ch->rule);
	case DMM_CMD_FLUSH:
		return add_flush(t, &ch->zone);
	}
}

DMM_EXPORT size_t dmm_change_format(char *buf, size_t len, const struct dmm_change *change)
{
	struct dmm_text t = { .buf = buf, .size = len };

	add_change(&t, change);
	return dmm_text_end(&t);
}

/* The grammar that several commands share; one place for help, manual and this file. */
DMM_EXPORT const char *dmm_policy_terms(void)
{
	return "RULE := [prio PRIO] [origin ORIGIN] [MATCH ...] ACTION [OPTION ...]\n"
	       "MATCH := connect | listen | tcp | udp | inet | inet6 |\n"
	       "         src { PREFIX | zone NAME } | dst { PREFIX | zone NAME } |\n"
	       "         sport { PORTS | set NAME } | dport { PORTS | set NAME } |\n"
	       "         uid { UID[-UID] | USER } | gid { GID[-GID] | GROUP } |\n"
	       "         cgroup PATH | unit UNIT | mark MARK[/MASK] | dscp DSCP |\n"
	       "         dev INTERFACE | comm PROGRAM\n"
	       "ACTION := stack NAME[,NAME...] | group NAME | reject\n"
	       "OPTION := timeout MS | race MS [kernel] | cc NAME | setmark MARK | tos TOS |\n"
	       "          keepidle SECONDS | keepintvl SECONDS | keepcnt PROBES |\n"
	       "          strict | fallback\n"
	       "MEMBER := STACK[@INSTANCE] [weight WEIGHT]\n"
	       "ORIGIN := cli | file | crd | learned\n"
	       "PREFIX := ADDRESS[/BITS]\n"
	       "PORTS := PORT[-PORT][,PORT[-PORT]...]\n";
}
