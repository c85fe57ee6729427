// SPDX-License-Identifier: Apache-2.0
/*
 * Who is where.  Of those who would take something the most specific one does, in
 * the kernel's order: connected to the sender, bound to the address, bound to
 * none, [::] for IPv4.  Several at one place (SO_REUSEPORT) share by a hash of
 * both ends.  Whether two may be at one place the kernel has checked.
 */
#include "loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static unsigned int bucket(__be16 port)
{
	return ntohs(port) & (LOOP_BUCKETS - 1);
}

struct place *loop_place_add(struct loop *loop, struct dmm_conn *conn, const struct dmm_open *at,
			     bool dual)
{
	struct place *p = calloc(1, sizeof(*p)), **head = &loop->buckets[bucket(at->lport)];

	if (!p)
		return NULL;
	p->conn = conn;
	p->at = *at;
	p->group = loop_group(loop, at->netns);
	p->dual = dual;
	p->next = *head;
	*head = p;
	dmm_conn_set_priv(conn, p);
	return p;
}

void loop_place_del(struct loop *loop, struct place *p)
{
	struct place **at = &loop->buckets[bucket(p->at.lport)];

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	loop_dgram_forget(loop, p);
	free(p);
}

static bool is_v4(const uint8_t addr[16])
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr);
}

/* How well a place fits what goes from flow->local to flow->remote; 0: not at all. */
static unsigned int score(const struct place *p, const struct dmm_open *flow, uint32_t group)
{
	const struct dmm_open *at = &p->at;
	unsigned int points = 1;

	if (at->lport != flow->rport || at->type != flow->type || p->group != group)
		return 0;
	if (at->rport) {
		if (at->rport != flow->lport || memcmp(at->remote, flow->local, 16))
			return 0;
		points += 4;
	}
	if (!dmm_address_is_any(at->local))
		return memcmp(at->local, flow->remote, 16) ? 0 : points + 2;
	if (!is_v4(flow->remote))
		return is_v4(at->local) ? 0 : points + 1;
	if (is_v4(at->local))
		return points + 1;
	return p->dual ? points : 0;
}

static uint32_t hash(const struct dmm_open *flow)
{
	uint32_t h = 2166136261u;

	for (int i = 0; i < 16; i++)
		h = ((h ^ flow->local[i]) * 16777619 ^ flow->remote[i]) * 16777619;
	h = (h ^ flow->lport) * 16777619;
	h = (h ^ flow->rport) * 16777619;
	return h ^ h >> 15;
}

struct place *loop_find(const struct loop *loop, const struct dmm_open *flow)
{
	struct place *p, *head = loop->buckets[bucket(flow->rport)];
	uint32_t group = loop_group(loop, flow->netns), nr = 0;
	unsigned int best = 0, points;

	for (p = head; p; p = p->next) {
		points = score(p, flow, group);
		if (points > best)
			nr = 0;
		if (points && points >= best) {
			best = points;
			nr++;
		}
	}
	if (!nr)
		return NULL;
	nr = hash(flow) % nr;
	for (p = head; p; p = p->next)
		if (score(p, flow, group) == best && !nr--)
			break;
	return p;
}

/* Does anybody of this type have the port, at whatever address? */
static bool is_used(const struct loop *loop, const struct dmm_open *at)
{
	const struct place *p = loop->buckets[bucket(at->lport)];
	uint32_t group = loop_group(loop, at->netns);

	for (; p; p = p->next)
		if (p->at.lport == at->lport && p->at.type == at->type && p->group == group)
			return true;
	return false;
}

bool loop_choose_port(struct loop *loop, struct dmm_open *at)
{
	unsigned int nr = loop->port_max - loop->port_min + 1;

	if (at->lport)
		return true;
	while (nr--) {
		if (loop->next_port < loop->port_min || loop->next_port > loop->port_max)
			loop->next_port = loop->port_min;
		at->lport = htons(loop->next_port++);
		if (!is_used(loop, at))
			return true;
	}
	return false;
}
