// SPDX-License-Identifier: Apache-2.0
/*
 * Objects as netlink attributes.  Messages are built in place, in a buffer
 * that holds many: a table of 100 000 rules is loaded in well under a second
 * even on an emulated machine.
 */
#include <errno.h>
#include <string.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include "internal.h"

static int attr_put(struct nlmsghdr *nlh, const void *end, int type, const void *data, size_t len)
{
	struct nlattr *nla = (struct nlattr *)((char *)nlh + nlh->nlmsg_len);
	size_t room = (const char *)end - (char *)nla;
	size_t total = NLA_HDRLEN + NLA_ALIGN(len);

	if (total > room || NLA_HDRLEN + len > UINT16_MAX)
		return -EMSGSIZE;
	nla->nla_type = type;
	nla->nla_len = NLA_HDRLEN + len;
	memcpy((char *)nla + NLA_HDRLEN, data, len);
	memset((char *)nla + NLA_HDRLEN + len, 0, NLA_ALIGN(len) - len);
	nlh->nlmsg_len += total;
	return 0;
}

static int str_put(struct nlmsghdr *nlh, const void *end, int type, const char *s)
{
	return attr_put(nlh, end, type, s, strlen(s) + 1);
}

static int names_put(struct nlmsghdr *nlh, const void *end, int type, const struct dmm_names *n)
{
	int err = 0;

	for (uint32_t i = 0; i < n->nr && !err; i++)
		err = str_put(nlh, end, type, n->v[i]);
	return err;
}

static int field_put(struct nlmsghdr *nlh, const void *end, int type,
		     const struct dmm_field *f, const void *p)
{
	const struct dmm_ports *ports = p;
	const struct dmm_prefixes *prefixes = p;

	switch (f->kind) {
	case DMM_KIND_U8:
		return attr_put(nlh, end, type, p, 1);
	case DMM_KIND_U16:
		return attr_put(nlh, end, type, p, 2);
	case DMM_KIND_U32:
		return attr_put(nlh, end, type, p, 4);
	case DMM_KIND_U64:
		return attr_put(nlh, end, type, p, 8);
	case DMM_KIND_STR:
		return str_put(nlh, end, type, *(const char *const *)p);
	case DMM_KIND_PREFIX:
		return attr_put(nlh, end, type, p, sizeof(struct dmm_prefix));
	case DMM_KIND_PREFIXES:
		return attr_put(nlh, end, type, prefixes->v, prefixes->nr * sizeof(*prefixes->v));
	case DMM_KIND_PORTS:
		return attr_put(nlh, end, type, ports->v, ports->nr * sizeof(*ports->v));
	case DMM_KIND_NAMES:
		return names_put(nlh, end, type, p);
	default:
		return -EINVAL;
	}
}

int dmm_msg_put(struct nlmsghdr *nlh, const void *end, const struct dmm_type *t,
		const void *obj, uint64_t mask)
{
	uint64_t has = dmm_has(obj) & mask;
	int err = 0;

	for (; has && !err; has &= has - 1) {
		unsigned int type = __builtin_ctzll(has);
		const struct dmm_field *f;

		if (type >= t->nr)
			break;
		f = &t->fields[type];
		err = field_put(nlh, end, type, f, dmm_field_ptr(f, obj));
	}
	return err;
}

static int int_get(const struct nlattr *nla, void *p, size_t size)
{
	if ((size_t)nla_len(nla) < size)
		return -EINVAL;
	memcpy(p, nla_data(nla), size);
	return 0;
}

static int str_get(const struct nlattr *nla, const char **s)
{
	int len = nla_len(nla);

	*s = nla_data(nla);
	return len > 0 && !(*s)[len - 1] ? 0 : -EINVAL;
}

static int names_get(const struct nlattr *nla, struct dmm_names *n)
{
	if (n->nr == ARRAY_SIZE(n->v) || str_get(nla, &n->v[n->nr]))
		return -EINVAL;
	n->nr++;
	return 0;
}

static int counters_get(const struct nlattr *nla, struct dmm_counters *c)
{
	c->nr = nla_len(nla) / sizeof(c->v[0]);
	if (c->nr > ARRAY_SIZE(c->v))
		c->nr = ARRAY_SIZE(c->v);
	memcpy(c->v, nla_data(nla), c->nr * sizeof(c->v[0]));
	return 0;
}

static int field_get(const struct nlattr *nla, const struct dmm_field *f, void *p)
{
	struct dmm_ports *ports = p;
	struct dmm_prefixes *prefixes = p;

	switch (f->kind) {
	case DMM_KIND_U8:
		return int_get(nla, p, 1);
	case DMM_KIND_U16:
		return int_get(nla, p, 2);
	case DMM_KIND_U32:
		return int_get(nla, p, 4);
	case DMM_KIND_U64:
		return int_get(nla, p, 8);
	case DMM_KIND_STR:
		return str_get(nla, p);
	case DMM_KIND_PREFIX:
		return int_get(nla, p, sizeof(struct dmm_prefix));
	case DMM_KIND_PREFIXES:
		prefixes->v = nla_data(nla);
		prefixes->nr = nla_len(nla) / sizeof(*prefixes->v);
		return 0;
	case DMM_KIND_PORTS:
		ports->v = nla_data(nla);
		ports->nr = nla_len(nla) / sizeof(*ports->v);
		return 0;
	case DMM_KIND_NAMES:
		return names_get(nla, p);
	case DMM_KIND_COUNTERS:
		return counters_get(nla, p);
	default:
		return -EINVAL;
	}
}

static void attrs_get(const void *attrs, int len, const struct dmm_type *t, void *obj)
{
	const struct nlattr *nla;
	int rem;

	memset(obj, 0, t->size);
	nla_for_each_attr(nla, (struct nlattr *)attrs, len, rem) {
		unsigned int type = nla_type(nla);

		if (type >= t->nr || !t->fields[type].kind)
			continue;
		if (!field_get(nla, &t->fields[type], dmm_field_ptr(&t->fields[type], obj)))
			*(uint64_t *)obj |= DMM_HAS(type);
	}
}

int dmm_msg_get(const struct nlmsghdr *nlh, const struct dmm_type *t, void *obj)
{
	if (!nlmsg_valid_hdr(nlh, GENL_HDRLEN))
		return -EINVAL;
	attrs_get((char *)nlmsg_data(nlh) + GENL_HDRLEN, nlmsg_datalen(nlh) - GENL_HDRLEN, t, obj);
	return 0;
}

int dmm_msg_get_tried(const struct nlmsghdr *nlh, struct dmm_rule *rule)
{
	const struct nlattr *tried;

	if (!nlmsg_valid_hdr(nlh, GENL_HDRLEN))
		return -EINVAL;
	tried = nlmsg_find_attr((struct nlmsghdr *)nlh, GENL_HDRLEN, DMM_A_EXPLAIN_TRIED);
	if (!tried)
		return -EINVAL;
	attrs_get(nla_data(tried), nla_len(tried), &dmm_type_rule, rule);
	return 0;
}

const char *dmm_msg_attr_name(const struct nlmsghdr *nlh, const struct dmm_type *t,
			      unsigned int offset)
{
	const struct nlattr *nla = (const struct nlattr *)((const char *)nlh + offset);

	if (offset < NLMSG_HDRLEN + GENL_HDRLEN || offset % NLA_ALIGNTO ||
	    offset + NLA_HDRLEN > nlh->nlmsg_len || (unsigned int)nla_type(nla) >= t->nr)
		return NULL;
	return t->fields[nla_type(nla)].name;
}
