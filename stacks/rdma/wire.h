/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two daemons say to each other: doc/rdma.md, "The wire".
 *
 * Private data of the connection manager is read by rd_wire_parse() alone, immediates by
 * rd_immediate_parse() alone: whatever comes, they return what makes sense or say that nothing does.
 */
#ifndef DMM_RDMA_WIRE_H
#define DMM_RDMA_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RD_WIRE_VERSION	1u
#define RD_WIRE_MAX	32u		/* bytes of the longest message; a request may have 56 */
#define RD_RING_MIN	4096u
#define RD_RING_MAX	(64u << 20)

/* Why a request is rejected. */
enum rd_reason {
	RD_REFUSED = 1,		/* nobody listens: ECONNREFUSED */
	RD_BUSY,		/* the backlog is full, or something else is: ask again */
	RD_GARBAGE,		/* the request makes no sense */
};

enum rd_message_type {
	RD_HELLO = 1,
	RD_REJECT,
};

/**
 * struct rd_message - private data of the connection manager
 * @type:	RD_HELLO: of a request and of its answer; RD_REJECT
 * @reason:	enum rd_reason, of RD_REJECT
 * @ticket:	chosen by who asks, and repeated by who answers
 * @rkey:	that lets the other side write into the ring, and nowhere else
 * @addr:	address of the ring, as it is used with @rkey
 * @size:	bytes of the ring, a power of two from RD_RING_MIN to RD_RING_MAX
 */
struct rd_message {
	enum rd_message_type type;
	enum rd_reason reason;
	uint64_t ticket;
	uint64_t addr;
	uint32_t rkey;
	uint32_t size;
};

/* Returns the bytes of the message in @to. */
size_t rd_wire_build(const struct rd_message *m, uint8_t to[RD_WIRE_MAX]);

/*
 * @len can be more than the message has, since the connection manager pads.  Returns 0;
 * -EPROTONOSUPPORT: another version; -EPROTO: it makes no sense.
 */
int rd_wire_parse(const void *data, size_t len, struct rd_message *m);

/* What an immediate says, three bits; the other 29 are a number of bytes, or zero. */
enum rd_immediate {
	RD_IMM_DATA,		/* so many bytes more are in the ring */
	RD_IMM_CREDIT,		/* so many bytes more may be written */
	RD_IMM_FIN,		/* no more data follow */
	RD_IMM_PING,		/* answer RD_IMM_PONG */
	RD_IMM_PONG,
	RD_IMM_NR,
};

/* In network byte order, as it is in work requests and completions. */
uint32_t rd_immediate_build(enum rd_immediate type, uint32_t value);

/* false: it makes no sense. */
bool rd_immediate_parse(uint32_t be, enum rd_immediate *type, uint32_t *value);

/*
 * The flow of bytes in one direction, as each side keeps it.  rd_flow_take() and rd_flow_give()
 * return false, and change nothing, when the peer claims more than it may.
 */
struct rd_flow {
	uint32_t size;		/* bytes of the ring */
	uint32_t room;		/* that may be written */
};

static inline bool rd_flow_take(struct rd_flow *f, uint32_t bytes)
{
	if (!bytes || bytes > f->room)
		return false;
	f->room -= bytes;
	return true;
}

static inline bool rd_flow_give(struct rd_flow *f, uint32_t bytes)
{
	if (!bytes || bytes > f->size - f->room)
		return false;
	f->room += bytes;
	return true;
}

#endif
