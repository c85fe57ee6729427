// SPDX-License-Identifier: Apache-2.0
#include "wire.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#define MAGIC	0x444d4d52u	/* DMMR */

#define VALUE_BITS	29
#define VALUE_MAX	((1u << VALUE_BITS) - 1)

/* All that there is, in network byte order. */
struct header {
	uint32_t magic;
	uint8_t version;
	uint8_t type;
	uint8_t reason;
	uint8_t reserved;
};

struct hello {
	struct header header;
	uint64_t ticket;
	uint64_t addr;
	uint32_t rkey;
	uint32_t size;
};

_Static_assert(sizeof(struct hello) == RD_WIRE_MAX, "no padding");

size_t rd_wire_build(const struct rd_message *m, uint8_t to[RD_WIRE_MAX])
{
	struct hello h = {
		.header = {
			.magic = htonl(MAGIC),
			.version = RD_WIRE_VERSION,
			.type = m->type,
			.reason = m->type == RD_REJECT ? m->reason : 0,
		},
		.ticket = htobe64(m->ticket),
		.addr = htobe64(m->addr),
		.rkey = htonl(m->rkey),
		.size = htonl(m->size),
	};

	memcpy(to, &h, sizeof(h));
	return m->type == RD_HELLO ? sizeof(h) : sizeof(h.header);
}

static int parse_header(const struct header *h, struct rd_message *m)
{
	if (h->magic != htonl(MAGIC))
		return -EPROTO;
	if (h->version != RD_WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (h->reserved)
		return -EPROTO;
	m->type = h->type;
	m->reason = h->reason;
	return 0;
}

static int parse_hello(const struct hello *h, struct rd_message *m)
{
	if (m->reason)
		return -EPROTO;
	m->ticket = be64toh(h->ticket);
	m->addr = be64toh(h->addr);
	m->rkey = ntohl(h->rkey);
	m->size = ntohl(h->size);
	if (m->size < RD_RING_MIN || m->size > RD_RING_MAX || m->size & (m->size - 1))
		return -EPROTO;
	return m->addr > UINT64_MAX - m->size ? -EPROTO : 0;
}

int rd_wire_parse(const void *data, size_t len, struct rd_message *m)
{
	struct hello h = { 0 };
	int ret;

	memset(m, 0, sizeof(*m));
	if (!data || len < sizeof(h.header))
		return -EPROTO;
	memcpy(&h, data, len < sizeof(h) ? len : sizeof(h));
	ret = parse_header(&h.header, m);
	if (ret)
		return ret;
	switch (m->type) {
	case RD_HELLO:
		return len < sizeof(h) ? -EPROTO : parse_hello(&h, m);
	case RD_REJECT:
		return m->reason < RD_REFUSED || m->reason > RD_GARBAGE ? -EPROTO : 0;
	}
	return -EPROTO;
}

uint32_t rd_immediate_build(enum rd_immediate type, uint32_t value)
{
	return htonl((uint32_t)type << VALUE_BITS | (value & VALUE_MAX));
}

bool rd_immediate_parse(uint32_t be, enum rd_immediate *type, uint32_t *value)
{
	uint32_t imm = ntohl(be);

	*type = imm >> VALUE_BITS;
	*value = imm & VALUE_MAX;
	if (*type >= RD_IMM_NR)
		return false;
	return *type == RD_IMM_DATA || *type == RD_IMM_CREDIT ? *value && *value <= RD_RING_MAX : !*value;
}
