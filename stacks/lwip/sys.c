// SPDX-License-Identifier: Apache-2.0
#include "lwip.h"

#include <string.h>
#include <time.h>
#include <lwip/sys.h>
#include <lwip_hooks.h>

static uint64_t microseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

u32_t sys_now(void)
{
	return microseconds() / 1000;
}

u32_t sys_jiffies(void)
{
	return sys_now();
}

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

/* SipHash-2-4 of whole words. */
static uint64_t siphash(const uint64_t key[2], const uint64_t *words, int nr)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			  key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };

	for (int i = 0; i < nr; i++) {
		v[3] ^= words[i];
		sip_rounds(v, 2);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* RFC 6528: a clock of 4 microseconds, and a secret for each pair of ends. */
uint32_t lw_isn(const ip_addr_t *local, uint16_t lport, const ip_addr_t *remote, uint16_t rport)
{
	static uint64_t key[2];
	uint64_t words[5] = { (uint64_t)lport << 16 | rport };

	if (!key[0])
		arc4random_buf(key, sizeof(key));
	memcpy(words + 1, ip_2_ip6(local)->addr, IP_IS_V6(local) ? 16 : 4);
	memcpy(words + 3, ip_2_ip6(remote)->addr, IP_IS_V6(remote) ? 16 : 4);
	return siphash(key, words, 5) + microseconds() / 4;
}

/* The sum of 16 bit words in network order, folded; 8 bytes at a time. */
uint16_t lw_checksum(const void *data, int len)
{
	const uint8_t *p = data;
	uint64_t sum = 0, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		sum += word;
		sum += sum < word;
	}
	word = 0;
	memcpy(&word, p, len);
	sum += word;
	sum += sum < word;
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	return (sum >> 16) + (uint16_t)sum;
}
