// SPDX-License-Identifier: Apache-2.0
/*
 * RDMA devices.  Connections of a device share a receive queue, since receive requests are only there
 * to be told of immediates, and a completion queue that has room for all that connections can have
 * outstanding: hence the limit to their number.
 */
#include "rdma.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SRQ_DEPTH	4096u
#define BATCH		32
#define POST_AGAIN	64u			/* receive requests at a time */
#define LINK_GRACE	INT64_C(150000000)	/* nanoseconds that a port can be down */
#define LOOK_AGAIN	INT64_C(10000000)	/* until completions are looked at that nobody waits for */

static int set_nonblocking(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) ? -errno : 0;
}

/* As many as there is room for. */
static unsigned int post_receives(struct rd_device *d, unsigned int nr)
{
	struct ibv_recv_wr wr = { 0 }, *bad;
	unsigned int n = 0;

	while (n < nr && !ibv_post_srq_recv(d->srq, &wr, &bad))
		n++;
	return n;
}

static unsigned int smaller(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* A quarter is left: some were lost with connections that broke. */
static void limit_srq(struct rd_device *d)
{
	struct ibv_srq_attr attr = { .srq_limit = d->depth / 4 };

	ibv_modify_srq(d->srq, &attr, IBV_SRQ_LIMIT);
}

static int make_queues(struct rd_device *d, const struct ibv_device_attr *attr)
{
	struct ibv_srq_init_attr srq = { .attr.max_sge = 1 };

	d->depth = smaller(SRQ_DEPTH, attr->max_srq_wr);
	d->max_conns = smaller(rd.conns, (attr->max_cqe - d->depth) / RD_WRS);
	d->cqe = d->depth + d->max_conns * RD_WRS;
	srq.attr.max_wr = d->depth;
	d->channel = ibv_create_comp_channel(d->verbs);
	d->pd = ibv_alloc_pd(d->verbs);
	if (!d->channel || !d->pd)
		return -errno;
	d->cq = ibv_create_cq(d->verbs, d->cqe, d, d->channel, 0);
	d->srq = ibv_create_srq(d->pd, &srq);
	if (!d->cq || !d->srq)
		return -errno;
	post_receives(d, d->depth);
	limit_srq(d);
	return set_nonblocking(d->channel->fd) ?: set_nonblocking(d->verbs->async_fd);
}

static void put_device(struct rd_device *d)
{
	if (d->srq)
		ibv_destroy_srq(d->srq);
	if (d->cq)
		ibv_destroy_cq(d->cq);
	if (d->pd)
		ibv_dealloc_pd(d->pd);
	if (d->channel)
		ibv_destroy_comp_channel(d->channel);
	memset(d, 0, sizeof(*d));
}

static struct rd_conns *bucket(struct rd_device *d, uint32_t qpn)
{
	return &d->by_qpn[qpn % RD_BUCKETS];
}

void rd_device_add(struct rd_device *d, struct rd_conn *c)
{
	c->dev = d;
	d->nr_conns++;
	LIST_INSERT_HEAD(bucket(d, c->id->qp->qp_num), c, by_qpn);
}

void rd_device_remove(struct rd_device *d, struct rd_conn *c)
{
	d->nr_conns--;
	LIST_REMOVE(c, by_qpn);
}

/* By the QP's own number, which goes with it; c->id->qp does earlier. */
static struct rd_conn *find(struct rd_device *d, uint32_t qpn)
{
	struct rd_conn *c;

	LIST_FOREACH(c, bucket(d, qpn), by_qpn)
		if (c->id && c->id->qp && c->id->qp->qp_num == qpn)
			return c;
	return NULL;
}

/* Send requests name their connection; that of a receive request is found by its QP. */
static void completed(struct rd_device *d, const struct ibv_wc *wc)
{
	struct rd_conn *c;

	if (wc->wr_id)
		return rd_conn_sent((struct rd_conn *)(uintptr_t)wc->wr_id, wc->status);
	d->missing++;
	c = find(d, wc->qp_num);
	if (c)
		rd_conn_received(c, wc);
}

unsigned int rd_device_poll(struct rd_device *d)
{
	struct ibv_wc wc[BATCH];
	int nr = ibv_poll_cq(d->cq, BATCH, wc);

	for (int i = 0; i < nr; i++)
		completed(d, &wc[i]);
	if (d->missing >= smaller(POST_AGAIN, d->depth / 4))
		d->missing -= post_receives(d, d->missing);
	return nr > 0 ? nr : 0;
}

/* Not until it is empty: peers who never stop could make that last for ever. */
void rd_device_drain(struct rd_device *d)
{
	unsigned int nr;

	for (unsigned int done = 0; done <= d->cqe; done += nr) {
		nr = rd_device_poll(d);
		if (!nr)
			return;
	}
}

/*
 * About to sleep.  Completions of what was sent need no wake-up, unless somebody waits for room or for
 * the end: in a conversation they are found with the answer.
 */
int rd_device_arm(struct rd_device *d)
{
	bool all = d->urgent;

	if (d->armed && (d->armed_all || !all))
		return 0;
	if (ibv_req_notify_cq(d->cq, !all))
		return 0;
	d->armed = true;
	d->armed_all = all;
	return rd_device_poll(d) > 0;
}

static void told(void *arg)
{
	struct rd_device *d = arg;
	struct ibv_cq *cq;
	void *context;

	/* One for each time that it was armed. */
	if (ibv_get_cq_event(d->channel, &cq, &context))
		return;
	ibv_ack_cq_events(cq, 1);
	d->armed = d->armed_all = false;
}

static void kill_all(struct rd_device *d, enum rd_cause cause)
{
	struct rd_conn *c;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < RD_BUCKETS; i++)
		LIST_FOREACH(c, &d->by_qpn[i], by_qpn) {
			nr += c->state != RD_DEAD;
			rd_conn_kill(c, -ECONNRESET, cause);
		}
	fprintf(stderr, "dmm-rdma: %s: %s, %u connections reset\n", ibv_get_device_name(d->verbs->device),
		cause == RD_CAUSE_LINK ? "link down" : "failed", nr);
}

/* What is sent to an application that is gone finds no ring any more: a reset, as TCP has it. */
static void qp_failed(struct ibv_qp *qp, enum rd_cause cause)
{
	struct rd_conn *c = qp->qp_context;

	rd_conn_kill(c, -ECONNRESET, c->closing ? RD_CAUSE_LOCAL : cause);
}

/* Data came before the end of the handshake, which may be lost: as good as that. */
static void established(struct ibv_qp *qp)
{
	struct rd_conn *c = qp->qp_context;

	rdma_notify(c->id, IBV_EVENT_COMM_EST);
}

static void happened(struct rd_device *d, const struct ibv_async_event *e)
{
	switch (e->event_type) {
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
		return qp_failed(e->element.qp, RD_CAUSE_PROTOCOL);
	case IBV_EVENT_QP_FATAL:
		return qp_failed(e->element.qp, RD_CAUSE_DEVICE);
	case IBV_EVENT_COMM_EST:
		return established(e->element.qp);
	case IBV_EVENT_SRQ_LIMIT_REACHED:
		post_receives(d, d->depth);
		d->missing = 0;
		return limit_srq(d);
	case IBV_EVENT_PORT_ERR:
		d->down = rd.now ? rd.now : 1;
		return;
	case IBV_EVENT_PORT_ACTIVE:
		d->down = 0;
		return rd_reaper_port_up(d);
	case IBV_EVENT_DEVICE_FATAL:
	case IBV_EVENT_CQ_ERR:
	case IBV_EVENT_SRQ_ERR:
		kill_all(d, RD_CAUSE_DEVICE);
		rd.gone = true;
		return;
	default:
		return;
	}
}

static void async_events(void *arg)
{
	struct rd_device *d = arg;
	struct ibv_async_event e;

	while (d->verbs && !ibv_get_async_event(d->verbs, &e)) {
		happened(d, &e);
		ibv_ack_async_event(&e);
	}
}

/* A port that is down for long breaks its connections: nothing else would come of them. */
int64_t rd_device_timer(struct rd_device *d)
{
	int64_t left;

	if (d->down) {
		left = d->down + LINK_GRACE - rd.now;
		if (left > 0)
			return left;
		if (d->nr_conns)
			kill_all(d, RD_CAUSE_LINK);
		return -1;
	}
	left = rd_reaper_timer(d);
	return d->outstanding && (left < 0 || left > LOOK_AGAIN) ? LOOK_AGAIN : left;
}

/* Making. */

static int watch(struct rd_device *d)
{
	d->completions = (struct rd_watch){ told, d, true };
	d->async = (struct rd_watch){ async_events, d, false };
	return rd_watch(d->channel->fd, &d->completions) ?: rd_watch(d->verbs->async_fd, &d->async);
}

static int open_device(struct rd_device *d, struct ibv_context *verbs)
{
	struct ibv_device_attr attr;
	int ret;

	*d = (struct rd_device){ .verbs = verbs };
	STAILQ_INIT(&d->kept);
	ret = -ibv_query_device(verbs, &attr);
	return ret ? ret : make_queues(d, &attr) ?: watch(d);
}

struct rd_device *rd_device_get(struct ibv_context *verbs)
{
	struct rd_device *d, *unused = NULL;
	int ret;

	for (unsigned int i = 0; i < RD_DEVICES_MAX; i++) {
		d = &rd.devices[i];
		if (d->verbs == verbs)
			return d;
		unused = d->verbs || unused ? unused : d;
	}
	if (!unused)
		return NULL;
	ret = open_device(unused, verbs);
	if (!ret)
		return unused;
	fprintf(stderr, "dmm-rdma: %s: %s\n", ibv_get_device_name(verbs->device), strerror(-ret));
	put_device(unused);
	return NULL;
}
