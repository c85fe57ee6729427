// SPDX-License-Identifier: Apache-2.0
/*
 * Keywords of the policy language.  A table per object names them, with the
 * attribute that each sets and the function that reads its value.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>

#include "parse.h"
#include "process.h"

static void *field_of(const struct dmm_keyword *k, void *obj, unsigned int attr)
{
	return dmm_field_ptr(&k->type->fields[attr], obj);
}

static void mark(void *obj, unsigned int attr)
{
	*(uint64_t *)obj |= DMM_HAS(attr);
}

static void set_uint(const struct dmm_keyword *k, void *obj, unsigned int attr, uint32_t v)
{
	void *p = field_of(k, obj, attr);

	switch (k->type->fields[attr].kind) {
	case DMM_KIND_U8:
		*(uint8_t *)p = v;
		break;
	case DMM_KIND_U16:
		*(uint16_t *)p = v;
		break;
	default:
		*(uint32_t *)p = v;
	}
	mark(obj, attr);
}

static void set_str(const struct dmm_keyword *k, void *obj, const char *s)
{
	*(const char **)field_of(k, obj, k->attr) = s;
	mark(obj, k->attr);
}

int dmm_keys_u32(struct dmm_parser *p, uint32_t max, uint32_t *v)
{
	int err = -EINVAL;

	if (p->tok.type == DMM_TOK_WORD)
		err = dmm_value_u32(p->tok.s, p->tok.len, v);
	if (err == -ERANGE || (!err && *v > max))
		return dmm_parse_error(p, "must be at most %u", max);
	if (err)
		return dmm_parse_error(p, "expected a number");
	dmm_parse_next(p);
	return 0;
}

/* A word of at most @max bytes, copied. */
static const char *take_word(struct dmm_parser *p, size_t max)
{
	const char *s;

	if (!dmm_parse_at_word(p) || !p->tok.len) {
		dmm_parse_error(p, "expected a name");
		return NULL;
	}
	if (p->tok.len > max) {
		dmm_parse_error(p, "is longer than %zu bytes", max);
		return NULL;
	}
	s = dmm_arena_strndup(&p->scratch, p->tok.s, p->tok.len);
	if (!s)
		dmm_error_set(&p->error, -ENOMEM, NULL, "out of memory");
	dmm_parse_next(p);
	return s;
}

const char *dmm_keys_name(struct dmm_parser *p)
{
	return take_word(p, DMM_NAME_MAX - 1);
}

/* "origin ORIGIN"; the first word is at hand. */
int dmm_keys_origin(struct dmm_parser *p, uint64_t *has, unsigned int attr, uint8_t *origin)
{
	int n;

	dmm_parse_next(p);
	n = dmm_parse_at_word(p) ? dmm_origin_find(p->tok.s, p->tok.len) : -1;
	if (n < 0)
		return dmm_parse_error(p, "expected cli, file, crd or learned");
	*origin = n;
	*has |= DMM_HAS(attr);
	dmm_parse_next(p);
	return 0;
}

/* Lists: in braces, over any number of lines, or up to the end of the command. */

struct list {
	bool braced;
	bool blanks;		/* without braces, blanks separate as commas do */
};

static void list_begin(struct dmm_parser *p, struct list *l)
{
	l->braced = p->tok.type == DMM_TOK_OPEN;
	if (l->braced)
		dmm_parse_next(p);
}

/* Is there another element, behind the @n seen? */
static bool list_more(struct dmm_parser *p, const struct list *l, uint32_t n)
{
	if (!l->braced) {
		if (n && p->tok.type == DMM_TOK_COMMA) {
			dmm_parse_next(p);
			return true;
		}
		return l->blanks ? dmm_parse_at_word(p) : !n;
	}
	while (p->tok.type == DMM_TOK_COMMA || p->tok.type == DMM_TOK_EOL)
		dmm_parse_next(p);
	if (p->tok.type != DMM_TOK_CLOSE)
		return true;
	dmm_parse_next(p);
	return false;
}

static int take_prefix(struct dmm_parser *p, struct dmm_prefix *prefix)
{
	const char *why = "expected an address or prefix";

	if (p->tok.type != DMM_TOK_WORD || dmm_value_prefix(p->tok.s, p->tok.len, prefix, &why))
		return dmm_parse_error(p, "%s", why);
	dmm_parse_next(p);
	return 0;
}

static int take_prefixes(struct dmm_parser *p, struct dmm_prefixes *list)
{
	struct list l = { .blanks = true };
	struct dmm_prefix *slot;
	int err;

	list_begin(p, &l);
	for (list->nr = 0; list_more(p, &l, list->nr); list->nr++) {
		slot = dmm_parse_list_slot(p, list->nr, sizeof(*slot));
		if (!slot)
			return p->error.err;
		err = take_prefix(p, slot);
		if (err)
			return err;
	}
	list->v = dmm_arena_dup(&p->scratch, p->list, list->nr * sizeof(*slot));
	return list->v ? 0 : dmm_error_set(&p->error, -ENOMEM, NULL, "out of memory");
}

/* PORT or PORT-PORT; names of services may have dashes, too. */
static int take_port_range(struct dmm_parser *p, struct dmm_port_range *range)
{
	const char *s = p->tok.s, *dash;
	size_t len = p->tok.len;

	if (!dmm_parse_at_word(p))
		return dmm_parse_error(p, "expected a port");
	dash = memchr(s, '-', len);
	if (dash && !dmm_value_port(s, dash - s, &range->lo) &&
	    !dmm_value_port(dash + 1, s + len - dash - 1, &range->hi)) {
		if (range->lo > range->hi)
			return dmm_parse_error(p, "range ends before it begins");
	} else if (!dmm_value_port(s, len, &range->lo)) {
		range->hi = range->lo;
	} else {
		return dmm_parse_error(p, "not a port, range of ports or service");
	}
	dmm_parse_next(p);
	return 0;
}

static int take_ports(struct dmm_parser *p, struct dmm_ports *list)
{
	struct list l = { .blanks = false };
	struct dmm_port_range *slot;
	int err;

	list_begin(p, &l);
	for (list->nr = 0; list_more(p, &l, list->nr); list->nr++) {
		slot = dmm_parse_list_slot(p, list->nr, sizeof(*slot));
		if (!slot)
			return p->error.err;
		err = take_port_range(p, slot);
		if (err)
			return err;
	}
	if (!list->nr)
		return dmm_parse_error(p, "a list of ports must not be empty");
	list->nr = dmm_value_merge_ports(p->list, list->nr);
	list->v = dmm_arena_dup(&p->scratch, p->list, list->nr * sizeof(*slot));
	return list->v ? 0 : dmm_error_set(&p->error, -ENOMEM, NULL, "out of memory");
}

/* Readers of values; the keyword itself is consumed. */

static int key_const(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	(void)p;
	set_uint(k, obj, k->attr, k->value);
	return 0;
}

static int key_u32(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	uint32_t v;
	int err = dmm_keys_u32(p, k->value, &v);

	if (!err)
		set_uint(k, obj, k->attr, v);
	return err;
}

/* Milliseconds. */
static int take_ms(struct dmm_parser *p, uint32_t min, uint32_t max, uint32_t *v)
{
	struct dmm_token tok = p->tok;
	int err = dmm_keys_u32(p, max, v);

	if (err || *v >= min)
		return err;
	p->tok = tok;
	return dmm_parse_error(p, "must be at least %u", min);
}

static int key_timeout(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	uint32_t v;
	int err = take_ms(p, 1, DMM_TIMEOUT_MAX, &v);

	if (!err)
		set_uint(k, obj, k->attr, v);
	return err;
}

/* MS [kernel] */
static int key_race(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	struct dmm_rule *r = obj;
	uint32_t v;
	int err = take_ms(p, DMM_RACE_MIN, DMM_RACE_MAX, &v);

	if (err)
		return err;
	set_uint(k, obj, k->attr, v);
	if (dmm_parse_at(p, "kernel")) {
		r->flags |= DMM_RULE_F_RACE_KERNEL;
		dmm_parse_next(p);
	}
	return 0;
}

/* What is marked here is that one of these words was there; settle_flags() counts that of a race. */
static int key_flag(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	struct dmm_rule *r = obj;

	(void)p;
	r->flags |= k->value;
	mark(obj, k->attr);
	return 0;
}

static int key_str(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	const char *s = take_word(p, k->value);

	if (!s)
		return p->error.err;
	set_str(k, obj, s);
	return 0;
}

static int key_origin(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	int n = dmm_parse_at_word(p) ? dmm_origin_find(p->tok.s, p->tok.len) : -1;

	if (n < 0)
		return dmm_parse_error(p, "expected cli, file, crd or learned");
	set_uint(k, obj, k->attr, n);
	dmm_parse_next(p);
	return 0;
}

/* The other form of a key: "zone NAME" or "set NAME". */
static int key_alt(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	const char *name;

	dmm_parse_next(p);
	name = dmm_keys_name(p);
	if (!name)
		return p->error.err;
	*(const char **)field_of(k, obj, k->alt) = name;
	mark(obj, k->alt);
	return 0;
}

/* A prefix and a zone of the same end may go together, each once. */
static int key_addr(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	bool zone = dmm_parse_at(p, "zone");
	int err;

	if (dmm_has(obj) & DMM_HAS(zone ? k->alt : k->attr))
		return dmm_parse_error(p, "a %s was given already", zone ? "zone" : "prefix");
	if (zone)
		return key_alt(p, k, obj);
	err = take_prefix(p, field_of(k, obj, k->attr));
	mark(obj, k->attr);
	return err;
}

static int key_ports(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	if (dmm_parse_at(p, "set"))
		return key_alt(p, k, obj);
	mark(obj, k->attr);
	return take_ports(p, field_of(k, obj, k->attr));
}

static int lookup_user(const char *name, bool group, uint32_t *id)
{
	char buf[4096];
	struct passwd pw, *user;
	struct group gr, *grp;

	if (group) {
		if (getgrnam_r(name, &gr, buf, sizeof(buf), &grp) || !grp)
			return -ENOENT;
		*id = gr.gr_gid;
	} else {
		if (getpwnam_r(name, &pw, buf, sizeof(buf), &user) || !user)
			return -ENOENT;
		*id = pw.pw_uid;
	}
	return 0;
}

/* Files name the same user on many lines: remember the last one. */
static int take_user(struct dmm_parser *p, bool group, uint32_t *id)
{
	size_t len = p->tok.len;

	if (!len || len >= sizeof(p->user.name))
		return -EINVAL;
	if (p->user.group != group || strlen(p->user.name) != len ||
	    memcmp(p->user.name, p->tok.s, len)) {
		memcpy(p->user.name, p->tok.s, len);
		p->user.name[len] = '\0';
		p->user.group = group;
		if (lookup_user(p->user.name, group, &p->user.id)) {
			p->user.name[0] = '\0';
			return -ENOENT;
		}
	}
	*id = p->user.id;
	return 0;
}

static bool take_id_range(const struct dmm_token *t, uint32_t *lo, uint32_t *hi)
{
	const char *dash = memchr(t->s, '-', t->len);

	return dash && !dmm_value_u32(t->s, dash - t->s, lo) &&
	       !dmm_value_u32(dash + 1, t->s + t->len - dash - 1, hi);
}

/* ID, ID-ID or NAME, of a group if the attribute is one of a group. */
static int key_id(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	bool group = k->word[0] == 'g';
	uint32_t lo, hi;

	if (!dmm_parse_at_word(p))
		return dmm_parse_error(p, "expected a %s or number", group ? "group" : "user");
	if (k->alt && take_id_range(&p->tok, &lo, &hi)) {
		if (lo > hi)
			return dmm_parse_error(p, "range ends before it begins");
	} else {
		if (dmm_value_u32(p->tok.s, p->tok.len, &lo) && take_user(p, group, &lo))
			return dmm_parse_error(p, "no such %s", group ? "group" : "user");
		hi = lo;
	}
	set_uint(k, obj, k->attr, lo);
	if (k->alt)
		set_uint(k, obj, k->alt, hi);
	dmm_parse_next(p);
	return 0;
}

static int key_unit(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	char path[DMM_CGROUP_MAX];
	const char *s;
	int err = -EINVAL;

	if (dmm_parse_at_word(p))
		err = dmm_value_unit(path, sizeof(path), p->tok.s, p->tok.len);
	if (err)
		return dmm_parse_error(p, err == -EINVAL ? "expected a unit" : "name is too long");
	s = dmm_arena_strndup(&p->scratch, path, strlen(path));
	if (!s)
		return dmm_error_set(&p->error, -ENOMEM, NULL, "out of memory");
	set_str(k, obj, s);
	dmm_parse_next(p);
	return 0;
}

/* VALUE or VALUE/MASK */
static int key_mark(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	const char *s = p->tok.s, *slash;
	uint32_t value, mask = UINT32_MAX;
	size_t len = p->tok.len;

	slash = k->alt ? memchr(s, '/', len) : NULL;
	if (p->tok.type != DMM_TOK_WORD ||
	    dmm_value_u32(s, slash ? (size_t)(slash - s) : len, &value) ||
	    (slash && dmm_value_u32(slash + 1, s + len - slash - 1, &mask)))
		return dmm_parse_error(p, "expected a mark%s", k->alt ? " or MARK/MASK" : "");
	if (value & ~mask)
		return dmm_parse_error(p, "mark has bits outside its mask");
	set_uint(k, obj, k->attr, value);
	if (slash)
		set_uint(k, obj, k->alt, mask);
	dmm_parse_next(p);
	return 0;
}

static int key_dscp(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	int n = dmm_parse_at_word(p) ? dmm_value_dscp(p->tok.s, p->tok.len) : -1;

	if (n < 0)
		return dmm_parse_error(p, "expected a number up to 63 or a name like af41");
	set_uint(k, obj, k->attr, n);
	dmm_parse_next(p);
	return 0;
}

static int key_stacks(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	struct list l = { .blanks = false };
	struct dmm_names *names = field_of(k, obj, k->attr);

	list_begin(p, &l);
	for (names->nr = 0; list_more(p, &l, names->nr); names->nr++) {
		if (names->nr == DMM_STACKS_MAX)
			return dmm_parse_error(p, "a rule has at most %d stacks", DMM_STACKS_MAX);
		names->v[names->nr] = dmm_keys_name(p);
		if (!names->v[names->nr])
			return p->error.err;
	}
	if (!names->nr)
		return dmm_parse_error(p, "expected a stack");
	mark(obj, k->attr);
	set_uint(k, obj, k->alt, DMM_VERDICT_STACK);
	return 0;
}

static int key_group(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	const char *name = dmm_keys_name(p);

	if (!name)
		return p->error.err;
	set_str(k, obj, name);
	set_uint(k, obj, k->alt, DMM_VERDICT_STACK);
	return 0;
}

/* ADDRESS:PORT into the attributes of a side: address, port and, if not given, family. */
static int take_endpoint(struct dmm_parser *p, struct dmm_explain *e, bool remote)
{
	struct dmm_prefix *addr = remote ? &e->dst : &e->src;
	uint16_t *port = remote ? &e->dport : &e->sport;

	if (p->tok.type != DMM_TOK_WORD ||
	    dmm_value_endpoint(p->tok.s, p->tok.len, addr, port))
		return dmm_parse_error(p, "expected ADDRESS:PORT, [ADDRESS]:PORT or *:PORT");
	mark(e, remote ? DMM_A_EXPLAIN_DPORT : DMM_A_EXPLAIN_SPORT);
	if (addr->family)
		mark(e, remote ? DMM_A_EXPLAIN_DST : DMM_A_EXPLAIN_SRC);
	dmm_parse_next(p);
	return 0;
}

/* The end that the command does not begin with: the local one of connect, the remote one of listen. */
static int key_from(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	struct dmm_explain *e = obj;
	bool remote = e->role == DMM_ROLE_LISTEN;

	(void)k;
	if (e->has & DMM_HAS(remote ? DMM_A_EXPLAIN_DPORT : DMM_A_EXPLAIN_SPORT))
		return dmm_parse_error(p, "from was given already");
	return take_endpoint(p, e, remote);
}

/* What the process has is used where the command says nothing else. */
static int key_pid(struct dmm_parser *p, const struct dmm_keyword *k, void *obj)
{
	struct dmm_process proc;
	struct dmm_explain *e = obj;
	uint32_t pid;
	int err = dmm_keys_u32(p, INT32_MAX, &pid);

	(void)k;
	if (err)
		return err;
	err = dmm_process_read(pid, &proc);
	if (err)
		return dmm_error_set(&p->error, err, NULL, "cannot read process %u: %s", pid,
				     strerror(-err));
	if (!(e->has & DMM_HAS(DMM_A_EXPLAIN_UID)))
		e->uid = proc.uid;
	if (!(e->has & DMM_HAS(DMM_A_EXPLAIN_GID)))
		e->gid = proc.gid;
	if (!(e->has & DMM_HAS(DMM_A_EXPLAIN_CGROUP)))
		e->cgroup = dmm_arena_strndup(&p->scratch, proc.cgroup, strlen(proc.cgroup));
	if (!(e->has & DMM_HAS(DMM_A_EXPLAIN_COMM)))
		e->comm = dmm_arena_strndup(&p->scratch, proc.comm, strlen(proc.comm));
	if (!e->cgroup || !e->comm)
		return dmm_error_set(&p->error, -ENOMEM, NULL, "out of memory");
	e->has |= DMM_HAS(DMM_A_EXPLAIN_UID) | DMM_HAS(DMM_A_EXPLAIN_GID) |
		  DMM_HAS(DMM_A_EXPLAIN_CGROUP) | DMM_HAS(DMM_A_EXPLAIN_COMM);
	return 0;
}

#define KEY(_word, _fn, _attr, ...)						\
	{ .word = _word, .parse = key_##_fn, .type = &dmm_type_rule,		\
	  .attr = DMM_A_RULE_##_attr, ##__VA_ARGS__ }
#define ALT(_attr)	.alt = DMM_A_RULE_##_attr

static const struct dmm_keyword rule_keys[] = {
	KEY("prio", u32, PRIO, .value = DMM_PRIO_MAX),
	KEY("origin", origin, ORIGIN),
	KEY("connect", const, ROLE, .value = DMM_ROLE_CONNECT),
	KEY("listen", const, ROLE, .value = DMM_ROLE_LISTEN),
	KEY("tcp", const, TYPE, .value = SOCK_STREAM),
	KEY("udp", const, TYPE, .value = SOCK_DGRAM),
	KEY("inet", const, FAMILY, .value = AF_INET),
	KEY("inet6", const, FAMILY, .value = AF_INET6),
	KEY("src", addr, SRC, ALT(SRC_ZONE)),
	KEY("dst", addr, DST, ALT(DST_ZONE)),
	KEY("sport", ports, SPORTS, ALT(SPORT_SET)),
	KEY("dport", ports, DPORTS, ALT(DPORT_SET)),
	KEY("uid", id, UID_LO, ALT(UID_HI)),
	KEY("gid", id, GID_LO, ALT(GID_HI)),
	KEY("cgroup", str, CGROUP, .value = DMM_CGROUP_MAX - 1),
	KEY("unit", unit, CGROUP),
	KEY("mark", mark, MARK, ALT(MARK_MASK)),
	KEY("dscp", dscp, DSCP),
	KEY("dev", str, DEV, .value = 15),
	KEY("comm", str, COMM, .value = 15),
	KEY("stack", stacks, STACK, ALT(VERDICT)),
	KEY("group", group, GROUP, ALT(VERDICT)),
	KEY("reject", const, VERDICT, .value = DMM_VERDICT_REJECT),
	KEY("timeout", timeout, TIMEOUT),
	KEY("race", race, RACE),
	KEY("cc", str, SET_CC, .value = 15),
	KEY("setmark", u32, SET_MARK, .value = UINT32_MAX),
	KEY("tos", u32, SET_TOS, .value = 255),
	KEY("keepidle", u32, SET_KEEPIDLE, .value = 32767),
	KEY("keepintvl", u32, SET_KEEPINTVL, .value = 32767),
	KEY("keepcnt", u32, SET_KEEPCNT, .value = 127),
	KEY("strict", flag, FLAGS, .value = DMM_RULE_F_STRICT),
	KEY("fallback", flag, FLAGS, .value = 0),
};

static const struct dmm_keyword selector_keys[] = {
	KEY("id", u32, ID, .value = UINT32_MAX),
};

#undef KEY
#undef ALT
#define KEY(_word, _fn, _attr, ...)						\
	{ .word = _word, .parse = key_##_fn, .type = &dmm_type_explain,		\
	  .attr = DMM_A_EXPLAIN_##_attr, ##__VA_ARGS__ }

static const struct dmm_keyword explain_keys[] = {
	KEY("from", from, PAD),
	KEY("inet", const, FAMILY, .value = AF_INET),
	KEY("inet6", const, FAMILY, .value = AF_INET6),
	KEY("uid", id, UID),
	KEY("gid", id, GID),
	KEY("cgroup", str, CGROUP, .value = DMM_CGROUP_MAX - 1),
	KEY("unit", unit, CGROUP),
	KEY("pid", pid, PAD),
	KEY("mark", mark, MARK),
	KEY("dscp", dscp, DSCP),
	KEY("dev", str, DEV, .value = 15),
	KEY("comm", str, COMM, .value = 15),
	KEY("want", str, WANT, .value = DMM_NAME_MAX - 1),
	KEY("repeat", u32, REPEAT, .value = 1000000),
};

#undef KEY

/* Most often keys come in the order of their table: look behind @last first. */
static const struct dmm_keyword *find(const struct dmm_token *t, const struct dmm_keyword *table,
				      unsigned int nr, const struct dmm_keyword *last)
{
	const struct dmm_keyword *k = last;

	if (t->type != DMM_TOK_WORD)
		return NULL;
	do {
		if (++k == table + nr)
			k = table;
		if (dmm_token_is(t, k->word))
			return k;
	} while (k != last);
	return NULL;
}

int dmm_keys_parse(struct dmm_parser *p, const struct dmm_keyword *table, unsigned int nr,
		   void *obj)
{
	const struct dmm_keyword *k = table + nr - 1;
	int err;

	while ((k = find(&p->tok, table, nr, k))) {
		uint64_t bits = DMM_HAS(k->attr) | (k->alt ? DMM_HAS(k->alt) : 0);

		if (k->parse != key_addr && dmm_has(obj) & bits)
			return dmm_parse_error(p, "%s was given already",
					       k->parse == key_const || k->parse == key_flag ?
					       "this key" : "it");
		dmm_parse_next(p);
		err = k->parse(p, k, obj);
		if (err)
			return err;
	}
	return 0;
}

/* "fallback" is how rules are anyway. */
static void settle_flags(struct dmm_rule *r)
{
	if (r->flags)
		mark(r, DMM_A_RULE_FLAGS);
	else
		r->has &= ~DMM_HAS(DMM_A_RULE_FLAGS);
}

int dmm_keys_rule(struct dmm_parser *p, struct dmm_rule *r)
{
	int err = dmm_keys_parse(p, rule_keys, ARRAY_SIZE(rule_keys), r);

	if (err)
		return err;
	if (dmm_parse_at_word(p))
		return dmm_parse_error(p, "not a key or action of a rule");
	if (!(r->has & DMM_HAS(DMM_A_RULE_VERDICT)))
		return dmm_parse_error(p, "expected stack, group or reject");
	settle_flags(r);
	return 0;
}

int dmm_keys_selector(struct dmm_parser *p, struct dmm_rule *r)
{
	int err = dmm_keys_parse(p, selector_keys, ARRAY_SIZE(selector_keys), r);

	if (!err)
		err = dmm_keys_parse(p, rule_keys, ARRAY_SIZE(rule_keys), r);
	if (r->flags)
		mark(r, DMM_A_RULE_FLAGS);
	return err;
}

static int take_const(struct dmm_parser *p, const char *zero, uint8_t zero_value,
		      const char *one, uint8_t one_value, uint8_t *v)
{
	if (!dmm_parse_at(p, zero) && !dmm_parse_at(p, one))
		return dmm_parse_error(p, "expected %s or %s", zero, one);
	*v = dmm_parse_at(p, zero) ? zero_value : one_value;
	dmm_parse_next(p);
	return 0;
}

/* Family of the addresses, where neither the command nor an address says it. */
static void default_family(struct dmm_explain *e)
{
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_FAMILY))
		return;
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_DST))
		e->family = e->dst.family;
	else if (e->has & DMM_HAS(DMM_A_EXPLAIN_SRC))
		e->family = e->src.family;
	else
		e->family = AF_INET;
	mark(e, DMM_A_EXPLAIN_FAMILY);
}

/* connect|listen tcp|udp ENDPOINT [key ...]: the endpoint is the remote one of connect. */
int dmm_keys_explain(struct dmm_parser *p, struct dmm_explain *e)
{
	int err;

	err = take_const(p, "connect", DMM_ROLE_CONNECT, "listen", DMM_ROLE_LISTEN, &e->role);
	if (!err)
		err = take_const(p, "tcp", SOCK_STREAM, "udp", SOCK_DGRAM, &e->type);
	if (err)
		return err;
	e->has = DMM_HAS(DMM_A_EXPLAIN_ROLE) | DMM_HAS(DMM_A_EXPLAIN_TYPE);
	err = take_endpoint(p, e, e->role == DMM_ROLE_CONNECT);
	if (!err)
		err = dmm_keys_parse(p, explain_keys, ARRAY_SIZE(explain_keys), e);
	if (!err)
		default_family(e);
	return err;
}

int dmm_keys_zone(struct dmm_parser *p, struct dmm_zone *z)
{
	int err;

	z->name = dmm_keys_name(p);
	if (!z->name)
		return p->error.err;
	z->has = DMM_HAS(DMM_A_ZONE_NAME);
	if (dmm_parse_at(p, "origin")) {
		err = dmm_keys_origin(p, &z->has, DMM_A_ZONE_ORIGIN, &z->origin);
		if (err)
			return err;
	}
	err = take_prefixes(p, &z->prefixes);
	if (z->prefixes.nr)
		z->has |= DMM_HAS(DMM_A_ZONE_PREFIXES);
	return err;
}

int dmm_keys_set(struct dmm_parser *p, struct dmm_set *s)
{
	int err;

	s->name = dmm_keys_name(p);
	if (!s->name)
		return p->error.err;
	s->has = DMM_HAS(DMM_A_SET_NAME) | DMM_HAS(DMM_A_SET_RANGES);
	if (dmm_parse_at(p, "origin")) {
		err = dmm_keys_origin(p, &s->has, DMM_A_SET_ORIGIN, &s->origin);
		if (err)
			return err;
	}
	if (!dmm_parse_at(p, "port"))
		return dmm_parse_error(p, "expected port");
	dmm_parse_next(p);
	return take_ports(p, &s->ranges);
}

enum { DEFAULT_WEIGHT = 100 };

/* STACK[@INSTANCE] [weight N] */
static int take_member(struct dmm_parser *p, struct dmm_member *m)
{
	const char *name = dmm_keys_name(p);
	struct dmm_token tok;
	int err;

	if (!name)
		return p->error.err;
	memset(m, 0, sizeof(*m));
	strncpy(m->name, name, sizeof(m->name) - 1);
	m->weight = DEFAULT_WEIGHT;
	if (!dmm_parse_at(p, "weight"))
		return 0;
	dmm_parse_next(p);
	tok = p->tok;
	err = dmm_keys_u32(p, DMM_WEIGHT_MAX, &m->weight);
	if (err || m->weight)
		return err;
	p->tok = tok;
	return dmm_parse_error(p, "must be at least 1");
}

static int take_members(struct dmm_parser *p, struct dmm_members *list)
{
	struct list l = { .blanks = false };
	struct dmm_member *slot;
	int err;

	list_begin(p, &l);
	for (list->nr = 0; list_more(p, &l, list->nr); list->nr++) {
		if (list->nr == DMM_MEMBERS_MAX)
			return dmm_parse_error(p, "a group has at most %d members",
					       DMM_MEMBERS_MAX);
		slot = dmm_parse_list_slot(p, list->nr, sizeof(*slot));
		if (!slot)
			return p->error.err;
		err = take_member(p, slot);
		if (err)
			return err;
	}
	if (!list->nr)
		return dmm_parse_error(p, "a group must not be empty");
	list->v = dmm_arena_dup(&p->scratch, p->list, list->nr * sizeof(*slot));
	return list->v ? 0 : dmm_error_set(&p->error, -ENOMEM, NULL, "out of memory");
}

int dmm_keys_group(struct dmm_parser *p, struct dmm_group *g)
{
	int err;

	g->name = dmm_keys_name(p);
	if (!g->name)
		return p->error.err;
	g->has = DMM_HAS(DMM_A_GROUP_NAME) | DMM_HAS(DMM_A_GROUP_MEMBERS);
	if (dmm_parse_at(p, "origin")) {
		err = dmm_keys_origin(p, &g->has, DMM_A_GROUP_ORIGIN, &g->origin);
		if (err)
			return err;
	}
	return take_members(p, &g->members);
}
