// SPDX-License-Identifier: Apache-2.0
/*
 * Which addresses are this host's.  Of its own namespace the daemon asks the
 * kernel, by binding a socket; of others it knows only that loopback is, and where
 * somebody listens or is bound.
 */
#include "loop.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_v4(const uint8_t addr[16])
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr);
}

bool loop_is_loopback(const uint8_t addr[16])
{
	return is_v4(addr) ? addr[12] == 127 : IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)addr);
}

/* Multicast can be bound to as well. */
static bool is_multicast(const uint8_t addr[16])
{
	return is_v4(addr) ? addr[12] >= 224 : addr[0] == 0xff;
}

static bool can_bind(const uint8_t addr[16])
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };
	int sk = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (sk < 0)
		return false;
	memcpy(&sa.sin6_addr, addr, 16);
	ret = bind(sk, (struct sockaddr *)&sa, sizeof(sa));
	close(sk);
	return !ret;
}

bool loop_is_local(uint32_t netns, const uint8_t addr[16])
{
	if (loop_is_loopback(addr))
		return true;
	return !is_multicast(addr) && !netns && can_bind(addr);
}

/* As the kernel's routes have it: 127/8 is talked to from 127.0.0.1, others from themselves. */
void loop_source(uint8_t addr[16], const uint8_t remote[16])
{
	memcpy(addr, remote, 16);
	if (is_v4(remote) && loop_is_loopback(remote))
		memcpy(addr + 12, (const uint8_t[4]){ 127, 0, 0, 1 }, 4);
}

void loop_far_end(uint8_t addr[16])
{
	if (!dmm_address_is_any(addr))
		return;
	if (is_v4(addr))
		memcpy(addr + 12, (const uint8_t[4]){ 127, 0, 0, 1 }, 4);
	else
		memcpy(addr, &in6addr_loopback, 16);
}
