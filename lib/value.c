// SPDX-License-Identifier: Apache-2.0
/* Words of the policy language that stand for numbers, addresses and paths. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static unsigned int digit(char c)
{
	unsigned int d = (unsigned char)c - '0';

	if (d <= 9)
		return d;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Decimal, or hexadecimal behind 0x; -EINVAL: no number, -ERANGE: too large. */
int dmm_value_u32(const char *s, size_t len, uint32_t *v)
{
	unsigned int base = 10;
	uint64_t n = 0;

	if (len > 2 && s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		s += 2;
		len -= 2;
	}
	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned int d = digit(s[i]);

		if (d >= base)
			return -EINVAL;
		if (n <= UINT32_MAX)
			n = n * base + d;
	}
	if (n > UINT32_MAX)
		return -ERANGE;
	*v = n;
	return 0;
}

static unsigned int addr_bits(unsigned int family)
{
	return family == AF_INET ? 32 : 128;
}

/* As inet_pton() has it: four numbers without leading zeros; returns what is behind, or NULL. */
static const char *inet_parse(const char *s, const char *end, uint8_t *addr)
{
	for (int i = 0; i < 4; i++) {
		unsigned int n, d;

		if (i && (s == end || *s++ != '.'))
			return NULL;
		if (s == end || (n = digit(*s++)) > 9)
			return NULL;
		for (; s < end && n && n <= 255 && (d = digit(*s)) <= 9; s++)
			n = n * 10 + d;
		if (n > 255)
			return NULL;
		addr[i] = n;
	}
	return s;
}

/* An address becomes a prefix of its full length. */
static int addr_parse(const char *s, size_t len, struct dmm_prefix *p)
{
	char text[INET6_ADDRSTRLEN];

	memset(p, 0, sizeof(*p));
	p->family = AF_INET;
	p->len = addr_bits(p->family);
	if (inet_parse(s, s + len, p->addr) == s + len)
		return 0;
	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, len);
	text[len] = '\0';
	p->family = AF_INET6;
	p->len = addr_bits(p->family);
	return inet_pton(p->family, text, p->addr) == 1 ? 0 : -EINVAL;
}

/* An IPv4 address in its mapped form is an IPv4 address, as sockets see it. */
static void unmap(struct dmm_prefix *p)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (p->family != AF_INET6 || p->len < 96 || memcmp(p->addr, mapped, 12))
		return;
	p->family = AF_INET;
	p->len -= 96;
	memmove(p->addr, p->addr + 12, 4);
	memset(p->addr + 4, 0, 12);
}

/* Are all bits behind the first @len zero? */
static bool tail_is_zero(const uint8_t *addr, unsigned int bits, unsigned int len)
{
	unsigned int i = len / 8;

	if (len % 8 && (addr[i++] & (0xff >> len % 8)))
		return false;
	for (; i < bits / 8; i++)
		if (addr[i])
			return false;
	return true;
}

int dmm_value_prefix(const char *s, size_t len, struct dmm_prefix *p, const char **why)
{
	const char *slash = memchr(s, '/', len);
	uint32_t bits;

	*why = "not an address or prefix";
	if (addr_parse(s, slash ? (size_t)(slash - s) : len, p))
		return -EINVAL;
	if (slash) {
		if (dmm_value_u32(slash + 1, s + len - slash - 1, &bits))
			return -EINVAL;
		*why = "prefix longer than the address";
		if (bits > p->len)
			return -EINVAL;
		p->len = bits;
	}
	*why = "prefix has bits set behind its length";
	if (!tail_is_zero(p->addr, addr_bits(p->family), p->len))
		return -EINVAL;
	unmap(p);
	return 0;
}

/*
 * ADDR:PORT, [ADDR]:PORT or *:PORT; family 0 stands for the last.  The port is
 * left to the caller: its length is what remains.
 */
static const char *endpoint_port(const char *s, size_t len, struct dmm_prefix *p)
{
	const char *colon = memrchr(s, ':', len);

	if (!colon)
		return NULL;
	len = colon - s;
	memset(p, 0, sizeof(*p));
	if (len == 1 && s[0] == '*')
		return colon + 1;
	if (len > 2 && s[0] == '[' && s[len - 1] == ']') {
		if (addr_parse(s + 1, len - 2, p) || p->family != AF_INET6)
			return NULL;
	} else if (addr_parse(s, len, p) || p->family != AF_INET) {
		return NULL;
	}
	unmap(p);
	return colon + 1;
}

int dmm_value_endpoint(const char *s, size_t len, struct dmm_prefix *p, uint16_t *port)
{
	const char *at = endpoint_port(s, len, p);

	return at ? dmm_value_port(at, s + len - at, port) : -EINVAL;
}

int dmm_value_port(const char *s, size_t len, uint16_t *port)
{
	struct servent ent, *found;
	char name[64], buf[1024];
	uint32_t n;
	int err;

	err = dmm_value_u32(s, len, &n);
	if (!err && n <= UINT16_MAX) {
		*port = n;
		return 0;
	}
	if (!err || err == -ERANGE || !len || len >= sizeof(name))
		return -EINVAL;
	memcpy(name, s, len);
	name[len] = '\0';
	if (getservbyname_r(name, NULL, &ent, buf, sizeof(buf), &found) || !found)
		return -EINVAL;
	*port = ntohs(found->s_port);
	return 0;
}

static const char *const dscp_names[64] = {
	[0] = "cs0", [8] = "cs1", [16] = "cs2", [24] = "cs3",
	[32] = "cs4", [40] = "cs5", [48] = "cs6", [56] = "cs7",
	[10] = "af11", [12] = "af12", [14] = "af13",
	[18] = "af21", [20] = "af22", [22] = "af23",
	[26] = "af31", [28] = "af32", [30] = "af33",
	[34] = "af41", [36] = "af42", [38] = "af43",
	[1] = "le", [44] = "va", [46] = "ef",
};

int dmm_value_dscp(const char *s, size_t len)
{
	uint32_t n;

	if (!dmm_value_u32(s, len, &n))
		return n < 64 ? (int)n : -EINVAL;
	return dmm_name_find(dscp_names, ARRAY_SIZE(dscp_names), s, len);
}

const char *dmm_value_dscp_name(unsigned int dscp)
{
	return dscp < ARRAY_SIZE(dscp_names) ? dscp_names[dscp] : NULL;
}

static bool ends_with(const char *s, size_t len, const char *tail)
{
	size_t n = strlen(tail);

	return len > n && !memcmp(s + len - n, tail, n);
}

/* A slice lies in those that its name begins with: a-b.slice in a.slice. */
static void add_slice(struct dmm_text *p, const char *name, size_t len)
{
	for (size_t i = 1; i <= len; i++) {
		if (i < len && name[i] != '-')
			continue;
		dmm_text_add(p, "/", 1);
		dmm_text_add(p, name, i);
		dmm_text_add(p, ".slice", 6);
	}
}

/* Units made from a template lie in a slice of their own. */
static void add_template_slice(struct dmm_text *p, const char *prefix, size_t len)
{
	dmm_text_add(p, "/system-", 8);
	for (size_t i = 0; i < len; i++) {
		if (prefix[i] == '-')
			dmm_text_add(p, "\\x2d", 4);
		else if (prefix[i] == '\\')
			dmm_text_add(p, "\\x5c", 4);
		else
			dmm_text_add(p, prefix + i, 1);
	}
	dmm_text_add(p, ".slice", 6);
}

static void add_user_service(struct dmm_text *p, const char *uid, size_t len)
{
	dmm_text_add(p, "/user.slice/user-", 17);
	dmm_text_add(p, uid, len);
	dmm_text_add(p, ".slice/user@", 12);
	dmm_text_add(p, uid, len);
	dmm_text_add(p, ".service", 8);
}

static bool has_unit_suffix(const char *s, size_t len)
{
	static const char *const suffixes[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (ends_with(s, len, suffixes[i]))
			return true;
	return false;
}

static bool is_user_service(const char *s, size_t len)
{
	return len > 13 && !memcmp(s, "user@", 5) && ends_with(s, len, ".service");
}

/*
 * Path of a unit's cgroup where systemd puts it by default; a bare name is a
 * service.  Units with a Slice= of their own are elsewhere.
 */
int dmm_value_unit(char *path, size_t size, const char *s, size_t len)
{
	struct dmm_text p = { .buf = path, .size = size };
	const char *at = memchr(s, '@', len);

	if (!len || memchr(s, '/', len) || s[0] == '.')
		return -EINVAL;
	if (ends_with(s, len, ".slice")) {
		add_slice(&p, s, len - 6);
	} else if (is_user_service(s, len)) {
		add_user_service(&p, s + 5, len - 13);
	} else {
		dmm_text_add(&p, "/system.slice", 13);
		if (at)
			add_template_slice(&p, s, at - s);
		dmm_text_add(&p, "/", 1);
		dmm_text_add(&p, s, len);
		if (!has_unit_suffix(s, len))
			dmm_text_add(&p, ".service", 8);
	}
	return dmm_text_end(&p) < size ? 0 : -ENAMETOOLONG;
}

static int port_cmp(const void *a, const void *b)
{
	const struct dmm_port_range *x = a, *y = b;

	return x->lo != y->lo ? x->lo - y->lo : x->hi - y->hi;
}

uint32_t dmm_value_merge_ports(struct dmm_port_range *v, uint32_t nr)
{
	uint32_t n = 0;

	if (nr < 2)
		return nr;
	qsort(v, nr, sizeof(*v), port_cmp);
	for (uint32_t i = 1; i < nr; i++) {
		if (v[i].lo > v[n].hi + 1)
			v[++n] = v[i];
		else if (v[i].hi > v[n].hi)
			v[n].hi = v[i].hi;
	}
	return n + 1;
}

bool dmm_prefix_equal(const struct dmm_prefix *a, const struct dmm_prefix *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool dmm_prefix_covers(const struct dmm_prefix *a, const struct dmm_prefix *b)
{
	unsigned int bytes = a->len / 8, bits = a->len % 8;

	if (a->family != b->family || a->len > b->len || memcmp(a->addr, b->addr, bytes))
		return false;
	return !bits || !((a->addr[bytes] ^ b->addr[bytes]) & ~(0xff >> bits));
}

int dmm_prefix_cmp(const void *a, const void *b)
{
	const struct dmm_prefix *x = a, *y = b;
	int diff = x->family - y->family;

	if (!diff)
		diff = memcmp(x->addr, y->addr, sizeof(x->addr));
	return diff ? diff : x->len - y->len;
}
