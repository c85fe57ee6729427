// SPDX-License-Identifier: GPL-2.0-only
/*
 * What dmm-rdma reads of the wire: garbage, messages with bytes changed, all lengths, and flows of
 * bytes whose peer lies.  "test_rdma_wire [SEED [ROUNDS]]".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kselftest.h"
#include "../../stacks/rdma/wire.h"

static uint64_t state;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct rd_message random_hello(void)
{
	return (struct rd_message){
		.type = RD_HELLO,
		.ticket = random64(),
		.addr = random64() >> 8,
		.rkey = random64(),
		.size = RD_RING_MIN << random64() % 15,
	};
}

static bool same(const struct rd_message *a, const struct rd_message *b)
{
	return a->type == b->type && a->reason == b->reason && a->ticket == b->ticket &&
	       a->addr == b->addr && a->rkey == b->rkey && a->size == b->size;
}

/* What is let through can be relied upon. */
static bool sane(const struct rd_message *m)
{
	if (m->type == RD_REJECT)
		return m->reason >= RD_REFUSED && m->reason <= RD_GARBAGE;
	return m->type == RD_HELLO && !m->reason && m->size >= RD_RING_MIN && m->size <= RD_RING_MAX &&
	       !(m->size & (m->size - 1)) && m->addr + m->size >= m->addr;
}

/* From memory of just this length, so that the sanitizer sees what is read beyond. */
static int parse(const uint8_t *data, size_t len, struct rd_message *m)
{
	uint8_t *copy = malloc(len ? len : 1);
	int ret;

	memcpy(copy, data, len);
	ret = rd_wire_parse(copy, len, m);
	free(copy);
	return ret;
}

static bool round_trip(void)
{
	struct rd_message in = random_hello(), out;
	uint8_t data[64] = { 0 };
	size_t len = rd_wire_build(&in, data);

	/* The connection manager pads. */
	for (size_t more = 0; more <= 24; more += 8)
		if (parse(data, len + more, &out) || !same(&in, &out))
			return false;
	for (size_t less = 0; less < len; less++)
		if (parse(data, less, &out) != -EPROTO)
			return false;
	in = (struct rd_message){ .type = RD_REJECT, .reason = RD_REFUSED + random64() % 3 };
	len = rd_wire_build(&in, data);
	return len == 8 && !parse(data, len, &out) && same(&in, &out);
}

static bool other_version(void)
{
	struct rd_message in = random_hello(), out;
	uint8_t data[RD_WIRE_MAX];
	size_t len = rd_wire_build(&in, data);

	data[4]++;
	return parse(data, len, &out) == -EPROTONOSUPPORT;
}

static bool changed(unsigned long rounds)
{
	struct rd_message in, out;
	uint8_t data[64];
	size_t len;
	int ret;

	for (unsigned long i = 0; i < rounds; i++) {
		in = random_hello();
		len = rd_wire_build(&in, data);
		for (int n = random64() % 4; n >= 0; n--)
			data[random64() % len] = random64();
		ret = parse(data, random64() % (len + 1), &out);
		if (ret ? ret != -EPROTO && ret != -EPROTONOSUPPORT : !sane(&out))
			return false;
	}
	return true;
}

static bool garbage(unsigned long rounds)
{
	struct rd_message out;
	uint8_t data[256];

	for (unsigned long i = 0; i < rounds; i++) {
		for (size_t n = 0; n < sizeof(data); n += 8) {
			uint64_t word = random64();

			memcpy(data + n, &word, 8);
		}
		if (!parse(data, random64() % sizeof(data), &out) && !sane(&out))
			return false;
	}
	return true;
}

static bool immediates(unsigned long rounds)
{
	enum rd_immediate type;
	uint32_t value;

	for (unsigned long i = 0; i < rounds; i++) {
		uint32_t be = random64();

		if (i % 2)
			be = htonl((ntohl(be) & 0xe0000000) | random64() % 4);
		if (!rd_immediate_parse(be, &type, &value))
			continue;
		if (type >= RD_IMM_NR || value > RD_RING_MAX || rd_immediate_build(type, value) != be)
			return false;
		if ((type == RD_IMM_DATA || type == RD_IMM_CREDIT) != (value > 0))
			return false;
	}
	return true;
}

/* Whatever is claimed, the room stays between nothing and the ring. */
static bool flows(unsigned long rounds)
{
	struct rd_flow f = { .size = 1 << 16, .room = 1 << 16 };
	uint64_t taken = 0, given = 0;
	uint32_t n;

	for (unsigned long i = 0; i < rounds; i++) {
		n = random64() >> (32 + random64() % 32);
		if (random64() % 2)
			taken += rd_flow_take(&f, n) ? n : 0;
		else
			given += rd_flow_give(&f, n) ? n : 0;
		if (f.room > f.size || f.size - f.room != taken - given)
			return false;
	}
	return taken && given;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 300000;

	state = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
	state |= 1;
	ksft_header();
	ksft_plan(6);
	ksft_note("seed %llu", (unsigned long long)state);
	ksft_result(round_trip(), "what is built is read, with padding, and not when it is cut");
	ksft_result(other_version(), "another version");
	ksft_result(changed(rounds), "messages with bytes changed");
	ksft_result(garbage(rounds), "garbage");
	ksft_result(immediates(rounds), "immediates");
	ksft_result(flows(rounds), "flows of bytes");
	ksft_finish();
}
