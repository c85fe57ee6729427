// SPDX-License-Identifier: Apache-2.0
/* dmmss: sockets by cookie, and what the module knows of them. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "dmmss.h"

static size_t *slot(struct entries *e, uint64_t cookie)
{
	size_t i = cookie * 0x9e3779b97f4a7c15ull >> 32;

	for (;; i++) {
		size_t *s = &e->index[i & (e->nr_index - 1)];

		if (!*s || e->v[*s - 1].cookie == cookie)
			return s;
	}
}

/* At least half of the index stays free. */
static int grow(struct entries *e)
{
	size_t size = e->size ? 2 * e->size : 512;
	struct entry *v = realloc(e->v, size * sizeof(*v));
	size_t *index;

	if (!v)
		return -ENOMEM;
	e->v = v;
	index = calloc(2 * size, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(e->index);
	e->index = index;
	e->nr_index = 2 * size;
	e->size = size;
	for (size_t i = 0; i < e->nr; i++)
		*slot(e, e->v[i].cookie) = i + 1;
	return 0;
}

struct entry *entries_get(struct entries *e, uint64_t cookie, bool add)
{
	size_t *s;

	if (add && e->nr == e->size && grow(e))
		return NULL;
	if (!e->nr_index)
		return NULL;
	s = slot(e, cookie);
	if (*s)
		return &e->v[*s - 1];
	if (!add)
		return NULL;
	e->v[e->nr] = (struct entry){ .cookie = cookie };
	*s = ++e->nr;
	return &e->v[e->nr - 1];
}

void entries_free(struct entries *e)
{
	free(e->v);
	free(e->index);
}

static void copy_str(char *to, size_t size, const char *from)
{
	to[0] = '\0';
	if (from)
		strncat(to, from, size - 1);
}

/* Records come oldest first: a later decision on a socket replaces the one before. */
static int take_decision(void *arg, const struct dmm_object *obj)
{
	const struct dmm_decision *d = obj->decision;
	struct entry *s = entries_get(arg, d->cookie, true);

	if (!s)
		return -ENOMEM;
	s->family = d->family;
	s->type = d->type;
	s->state = TCP_CLOSE;
	s->src = d->src;
	s->dst = d->dst;
	s->sport = d->sport;
	s->dport = d->dport;
	s->uid = d->uid;
	s->reason = d->reason;
	s->rule = d->rule;
	s->prio = d->prio;
	s->pid = d->pid;
	s->time = d->time;
	copy_str(s->stack, sizeof(s->stack), d->stack);
	copy_str(s->comm, sizeof(s->comm), d->comm);
	return 0;
}

/* As socket monitoring would call it. */
static uint8_t state_of(const struct dmm_decision *d)
{
	switch (d->state) {
	case DMM_SOCK_LISTENER:
		return TCP_LISTEN;
	case DMM_SOCK_CONNECTING:
	case DMM_SOCK_KERNEL:
		return TCP_SYN_SENT;
	case DMM_SOCK_CONNECTED:
		return d->tcp_state ? d->tcp_state : TCP_ESTABLISHED;
	default:
		return TCP_CLOSE;
	}
}

/* What is held now counts more than what was decided once. */
static int take_held(void *arg, const struct dmm_object *obj)
{
	const struct dmm_decision *d = obj->decision;
	struct entry *s = entries_get(arg, d->cookie, true);

	if (!s)
		return -ENOMEM;
	s->held = true;
	s->family = d->family;
	s->type = d->type;
	s->state = state_of(d);
	s->src = d->src;
	s->dst = d->dst;
	s->sport = d->sport;
	s->dport = d->dport;
	s->uid = d->uid;
	s->inode = d->inode;
	s->reason = d->reason;
	s->rule = d->rule;
	s->prio = d->prio;
	copy_str(s->stack, sizeof(s->stack), d->stack);
	copy_str(s->instance, sizeof(s->instance), d->instance);
	s->queue = d->queue;
	s->tx_used = d->tx_used;
	s->tx_size = d->tx_size;
	s->rx_used = d->rx_used;
	s->rx_size = d->rx_size;
	s->recv_q = d->rx_used;
	s->send_q = d->tx_used;
	s->info = (struct info){
		d->rto, d->rtt, d->rttvar, d->mss, d->cwnd, d->ssthresh, d->unacked, d->retrans, d->retrans_total,
		d->bytes_acked, d->bytes_received,
	};
	return 0;
}

int entries_read(struct entries *e, struct dmm_client *client)
{
	int err = dmm_dump(client, DMM_CMD_DECISION_GET, NULL, take_decision, e);

	return err ? err : dmm_dump(client, DMM_CMD_SOCK_GET, NULL, take_held, e);
}
