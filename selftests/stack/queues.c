// SPDX-License-Identifier: GPL-2.0-only
#include "queues.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define container_of(p, type, member)	((type *)((char *)(p) - offsetof(type, member)))
#define load(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* A listener or a datagram socket. It is closed, and its list changed, under the lock only. */
struct place {
	bool is_place;		/* so are both kinds told apart */
	LIST_ENTRY(place) list;
	struct dmm_conn *conn;
	struct dmm_open at;
};

/*
 * One end of a connection, for its thread alone, but for "out", which it shows to the other end: bytes of the tx ring, from
 * the count "start" to "len", of which the other end has copied those before "done". They change when all is copied.
 */
struct end {
	bool is_place;		/* no */
	struct dmm_call work;
	int poked;
	struct link *link;
	struct end *mate;
	struct dmm_queue *queue;	/* NULL: nobody has told of this end yet */
	struct dmm_conn *conn;		/* NULL: not there yet, or no more */
	struct {
		const uint8_t *bytes;
		size_t start, len, done;
		int fin;	/* nothing follows */
		int reset;
		int quiet;	/* the other end has seen that, and looks at nothing any more */
		int gone;
	} out;
	size_t consumed;
	bool asked, open, shut, closing, failed, told;
};

/* end[0] connects and end[1] is accepted. Freed with the last of: the ends, their work, the call. */
struct link {
	LIST_ENTRY(link) list;	/* of those that a successor knows by half */
	int refs;
	int answer;		/* to the connect: 1: connected; negative: an error */
	bool settled;
	struct dmm_open at;	/* as end[0] sees it */
	struct end end[2];
	struct dmm_call call;
};

/* A datagram on its way to another queue: in d the sender's address, and in d.local the receiver's. */
struct letter {
	struct dmm_call call;
	uint32_t netns;
	__be16 port;		/* the receiver's */
	struct dmm_datagram d;
	uint8_t bytes[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, place) places = LIST_HEAD_INITIALIZER(places);
static LIST_HEAD(, link) halves = LIST_HEAD_INITIALIZER(halves);
static int asked;	/* connects that are not answered */
static int draining;
static pthread_t owners[DMM_QUEUES_MAX];
static bool owned[DMM_QUEUES_MAX];

static void *make(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

/* All that is done for a queue is done in its thread. */
static void check_thread(const struct dmm_queue *q)
{
	unsigned int i = dmm_queue_index(q);

	if (!owned[i])
		owners[i] = pthread_self();
	owned[i] = true;
	if (!pthread_equal(owners[i], pthread_self()))
		abort();
}

static void *checked(const struct dmm_conn *conn)
{
	check_thread(dmm_conn_queue(conn));
	return dmm_conn_priv(conn);
}

/* Places. */

/* Under the lock. */
static struct place *find(int type, uint32_t netns, const uint8_t addr[16], __be16 port)
{
	struct place *p;

	LIST_FOREACH (p, &places, list)
		if (p->at.type == type && p->at.netns == netns && p->at.lport == port &&
		    (dmm_address_is_any(p->at.local) || !memcmp(p->at.local, addr, 16)))
			return p;
	return NULL;
}

static void place_set(struct dmm_conn *conn, const struct dmm_open *at)
{
	struct place *p = dmm_conn_priv(conn);

	pthread_mutex_lock(&lock);
	if (!p) {
		p = make(sizeof(*p));
		p->is_place = true;
		p->conn = conn;
		dmm_conn_set_priv(conn, p);
		LIST_INSERT_HEAD(&places, p, list);
	}
	p->at = *at;
	pthread_mutex_unlock(&lock);
}

static void place_close(struct place *p)
{
	pthread_mutex_lock(&lock);
	LIST_REMOVE(p, list);
	dmm_conn_closed(p->conn);
	pthread_mutex_unlock(&lock);
	free(p);
}

static bool is_place(const struct dmm_open *open)
{
	return open->type == SOCK_DGRAM || !open->rport;
}

/* Links. */

static void put(struct link *l)
{
	if (!__atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL))
		free(l);
}

/* Let its thread look at it. */
static void poke(struct end *e)
{
	struct dmm_queue *q = load(&e->queue);

	if (!q || __atomic_exchange_n(&e->poked, 1, __ATOMIC_ACQ_REL))
		return;
	__atomic_add_fetch(&e->link->refs, 1, __ATOMIC_RELAXED);
	dmm_queue_call(q, &e->work);
}

static void finish(struct end *e)
{
	dmm_conn_closed(e->conn);
	e->conn = NULL;
	store(&e->out.gone, 1);
	poke(e->mate);
	put(e->link);
}

/* The application of an end that has failed closes it later. */
static void fail(struct end *e)
{
	if (e->failed)
		return;
	e->failed = true;
	dmm_conn_error(e->conn, -ECONNRESET);
}

static void answer(struct end *e)
{
	int answer = load(&e->link->answer);

	if (!answer)
		return;
	e->asked = false;
	__atomic_sub_fetch(&asked, 1, __ATOMIC_RELAXED);
	if (answer > 0) {
		e->open = true;
		dmm_conn_connected(e->conn, &e->link->at);
		return;
	}
	dmm_conn_error(e->conn, answer);
	e->conn = NULL;
	store(&e->out.gone, 1);
	put(e->link);
}

/* Copy what the other end shows. Who has closed answers bytes by a reset, as TCP does. */
static void pull(struct end *e)
{
	struct end *m = e->mate;
	size_t len = load(&m->out.len), done = m->out.done, n, before = done;

	while (!load(&draining) && !e->failed && done < len) {
		n = len - done;
		if (!e->closing)
			n = dmm_conn_write(e->conn, m->out.bytes + (done - m->out.start), n);
		if (!n)
			break;
		done += n;
		store(&m->out.done, done);
	}
	if (done != before) {
		if (e->closing)
			store(&e->out.reset, 1);
		poke(m);
	}
	if (load(&m->out.fin) && done == load(&m->out.len) && !e->told) {
		e->told = true;
		dmm_conn_eof(e->conn);
	}
}

/* Show the next bytes, when there are and the ones before are copied. */
static void push(struct end *e)
{
	bool gone = load(&e->mate->out.gone);
	size_t done = load(&e->out.done);
	struct iovec iov;

	dmm_conn_tx_consume(e->conn, done - e->consumed);
	e->consumed = done;
	if (gone && dmm_conn_tx_pending(e->conn)) {
		dmm_conn_tx_consume(e->conn, dmm_conn_tx_pending(e->conn));
		fail(e);
	} else if (done != e->out.len && !gone) {
		return;
	} else if (dmm_conn_tx_peek(e->conn, 0, &iov, 1)) {
		e->out.bytes = iov.iov_base;
		e->out.start = e->out.len;
		store(&e->out.len, e->out.len + iov.iov_len);
		poke(e->mate);
		return;
	} else if (e->shut && !e->out.fin) {
		store(&e->out.fin, 1);
		poke(e->mate);
	}
	if (e->closing)
		finish(e);
}

/* A reset end is closed when the other one does not look at its bytes any more. */
static void look(struct end *e)
{
	struct end *m = e->mate;

	if (load(&m->out.reset) && !m->out.quiet) {
		store(&m->out.quiet, 1);
		poke(m);
	}
	if (e->conn && e->asked)
		answer(e);
	if (!e->conn || !e->open)
		return;
	if (load(&m->out.reset))
		fail(e);
	else if (!e->out.reset)
		pull(e);
	if (e->out.reset || (e->closing && e->failed)) {
		store(&e->out.reset, 1);
		poke(m);
		if (e->closing && (load(&e->out.quiet) || load(&m->out.gone)))
			finish(e);
	} else if (!e->failed) {
		push(e);
	}
}

static void work(struct dmm_call *call)
{
	struct end *e = container_of(call, struct end, work);

	check_thread(e->queue);
	__atomic_exchange_n(&e->poked, 0, __ATOMIC_ACQ_REL);
	look(e);
	put(e->link);
}

static struct link *link_new(struct dmm_conn *conn, const struct dmm_open *at)
{
	struct link *l = make(sizeof(*l));

	l->refs = 2;
	l->at = *at;
	for (int i = 0; i < 2; i++)
		l->end[i] = (struct end){ .work.fn = work, .link = l, .mate = &l->end[!i] };
	l->end[0].conn = conn;
	l->end[0].queue = dmm_conn_queue(conn);
	dmm_conn_set_priv(conn, &l->end[0]);
	return l;
}

/* end[1] does not come. */
static void turn_down(struct link *l, int error)
{
	store(&l->end[1].out.gone, 1);
	store(&l->answer, error);
	poke(&l->end[0]);
	put(l);
}

/* On the other queue. */
static void announce(struct dmm_call *call)
{
	struct link *l = container_of(call, struct link, call);
	struct dmm_open at = l->at;
	struct end *e = &l->end[1];
	struct place *p;

	check_thread(e->queue);
	pthread_mutex_lock(&lock);
	p = find(SOCK_STREAM, at.netns, at.remote, at.rport);
	dmm_open_swap(&at);
	if (p)
		e->conn = dmm_conn_incoming(e->queue, p->conn, &at, e);
	pthread_mutex_unlock(&lock);
	if (e->conn)
		return;
	if (l->settled) {
		turn_down(l, -ECONNREFUSED);
		return;
	}
	l->settled = true;
	dmm_queue_settle(e->queue, call);
}

/* Callbacks. */

static void complete(struct dmm_open *at)
{
	static uint16_t port;

	if (dmm_address_is_any(at->local) && at->rport)
		memcpy(at->local, at->remote, 16);
	if (!at->lport)
		at->lport = htons(49152 + __atomic_fetch_add(&port, 1, __ATOMIC_RELAXED) % 16384);
}

static void connect_stream(struct dmm_conn *conn, const struct dmm_open *at)
{
	struct dmm_queue *q = dmm_conn_queue(conn);
	struct dmm_stack *s = dmm_queue_stack(q);
	struct link *l;

	if (load(&draining))
		return;
	l = link_new(conn, at);
	l->end[0].asked = true;
	__atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
	l->end[1].queue = dmm_stack_queue(s, (dmm_queue_index(q) + 1) % dmm_stack_queues(s));
	l->call.fn = announce;
	dmm_queue_call(l->end[1].queue, &l->call);
}

static void on_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	struct dmm_open at = *open;

	checked(conn);
	complete(&at);
	if (open->type == SOCK_STREAM) {
		connect_stream(conn, &at);
		return;
	}
	place_set(conn, &at);
	dmm_conn_connected(conn, &at);
}

static void on_listen(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	(void)backlog;
	if (!checked(conn))
		place_set(conn, open);
	dmm_conn_listening(conn);
}

static void on_accepted(struct dmm_conn *conn)
{
	struct end *e = checked(conn);

	e->open = true;
	store(&e->link->answer, 1);
	poke(e->mate);
	/* Who has connected may be gone. */
	poke(e);
}

static void on_refused(struct dmm_conn *conn, int error)
{
	struct end *e = checked(conn);

	e->conn = NULL;
	turn_down(e->link, error == -EAGAIN ? -ECONNREFUSED : error);
}

/* In the receiver's thread. */
static void deliver(struct dmm_call *call)
{
	struct letter *m = container_of(call, struct letter, call);
	struct iovec iov = { m->bytes, m->d.len };
	struct place *to;

	pthread_mutex_lock(&lock);
	to = find(SOCK_DGRAM, m->netns, m->d.local, m->port);
	if (to) {
		check_thread(dmm_conn_queue(to->conn));
		if (!to->at.rport || to->at.rport == m->d.port)
			dmm_conn_rx_datagram(to->conn, &m->d, &iov, 1);
	}
	pthread_mutex_unlock(&lock);
	free(m);
}

/* To the receiver's thread; false: nobody knows him. */
static bool pass_on(struct letter *m)
{
	struct place *to;

	pthread_mutex_lock(&lock);
	to = find(SOCK_DGRAM, m->netns, m->d.local, m->port);
	if (to)
		dmm_queue_call(dmm_conn_queue(to->conn), &m->call);
	pthread_mutex_unlock(&lock);
	return to;
}

/* All queues have told what they had: who is not known now is not there. */
static void look_again(struct dmm_call *call)
{
	struct letter *m = container_of(call, struct letter, call);

	call->fn = deliver;
	if (!pass_on(m))
		free(m);
}

static struct letter *letter_of(const struct place *from, const struct dmm_datagram *d,
				const struct iovec iov[2])
{
	struct letter *m = make(sizeof(*m) + d->len);
	uint8_t *to = m->bytes;

	m->call.fn = deliver;
	m->netns = from->at.netns;
	m->port = d->port;
	m->d = *d;
	memcpy(m->d.local, d->addr, 16);
	if (!dmm_address_is_any(from->at.local))
		memcpy(m->d.addr, from->at.local, 16);
	m->d.port = from->at.lport;
	for (int i = 0; i < 2 && iov[i].iov_len; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	return m;
}

static void send_datagrams(struct place *from)
{
	struct dmm_datagram d;
	struct iovec iov[2];
	struct letter *m;

	/* What is in the ring stays there for a successor, what is on its way would not. */
	if (load(&draining))
		return;
	for (; dmm_conn_tx_datagram(from->conn, &d, iov); dmm_conn_tx_datagram_done(from->conn)) {
		m = letter_of(from, &d, iov);
		if (pass_on(m))
			continue;
		/* A successor may have been told of the sender first. */
		m->call.fn = look_again;
		dmm_queue_settle(dmm_conn_queue(from->conn), &m->call);
	}
}

static void on_tx_data(struct dmm_conn *conn)
{
	void *priv = checked(conn);

	if (dmm_conn_type(conn) == SOCK_DGRAM)
		send_datagrams(priv);
	else
		look(priv);
}

static void on_rx_space(struct dmm_conn *conn)
{
	void *priv = checked(conn);

	if (dmm_conn_type(conn) == SOCK_STREAM)
		look(priv);
}

static void on_shutdown(struct dmm_conn *conn)
{
	struct end *e = checked(conn);

	e->shut = true;
	look(e);
}

static void close_end(struct end *e, bool reset)
{
	e->closing = e->shut = true;
	if (reset || e->asked)
		store(&e->out.reset, 1);
	if (!e->asked) {
		look(e);
		return;
	}
	/* Nothing of it can have been seen. */
	e->asked = false;
	__atomic_sub_fetch(&asked, 1, __ATOMIC_RELAXED);
	finish(e);
}

static void on_close(struct dmm_conn *conn, bool reset)
{
	void *priv = checked(conn);

	if (!priv)	/* a connect that was left for the successor */
		dmm_conn_closed(conn);
	else if (*(bool *)priv)
		place_close(priv);
	else
		close_end(priv, reset);
}

/* Successors. */

static bool are_ends(const struct dmm_open *a, const struct dmm_open *b)
{
	return a->netns == b->netns && a->lport == b->rport && a->rport == b->lport &&
	       !memcmp(a->local, b->remote, 16) && !memcmp(a->remote, b->local, 16);
}

/* Under the lock: a connection whose other end was told of before. */
static struct link *half_of(const struct dmm_open *open)
{
	struct link *l;

	LIST_FOREACH (l, &halves, list)
		if (are_ends(&l->at, open))
			return l;
	return NULL;
}

/* All queues have told what they had. Who has no other end has come to its end before. */
static void alone(struct dmm_call *call)
{
	struct link *l = container_of(call, struct link, call);
	bool half;

	pthread_mutex_lock(&lock);
	half = !l->end[1].queue;
	if (half)
		LIST_REMOVE(l, list);
	pthread_mutex_unlock(&lock);
	if (half) {
		store(&l->end[1].out.fin, 1);
		turn_down(l, 1);
	}
	put(l);
}

static void resume_end(struct dmm_conn *conn, const struct dmm_open *open)
{
	struct link *l;
	struct end *e;

	pthread_mutex_lock(&lock);
	l = half_of(open);
	if (l) {
		LIST_REMOVE(l, list);
		e = &l->end[1];
		e->conn = conn;
		dmm_conn_set_priv(conn, e);
		store(&e->queue, dmm_conn_queue(conn));
	} else {
		l = link_new(conn, open);
		e = &l->end[0];
		LIST_INSERT_HEAD(&halves, l, list);
		l->refs++;
		l->call.fn = alone;
		dmm_queue_settle(e->queue, &l->call);
	}
	e->open = true;
	pthread_mutex_unlock(&lock);
	poke(e);
	poke(e->mate);
}

static void on_resume(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	(void)backlog;
	checked(conn);
	if (is_place(open))
		place_set(conn, open);
	else
		resume_end(conn, open);
}

const struct dmm_stack_ops queues_ops = {
	.connect = on_connect,
	.listen = on_listen,
	.bind = on_connect,	/* with no far end */
	.accepted = on_accepted,
	.refused = on_refused,
	.tx_data = on_tx_data,
	.rx_space = on_rx_space,
	.shutdown = on_shutdown,
	.close = on_close,
	.resume = on_resume,
};

static bool turn_all(struct dmm_stack *stack)
{
	bool ok = true;

	for (unsigned int i = 0; i < dmm_stack_queues(stack); i++)
		ok = dmm_stack_poll(dmm_stack_queue(stack, i), 0) >= 0 && ok;
	return ok;
}

void queues_drain(struct dmm_stack *stack)
{
	memset(owned, 0, sizeof(owned));
	while (turn_all(stack) && load(&asked))
		;
	store(&draining, 1);
	for (int i = 0; i < 3; i++)
		turn_all(stack);
}

void queues_exit(void)
{
	struct place *p;

	while ((p = LIST_FIRST(&places))) {
		LIST_REMOVE(p, list);
		free(p);
	}
	memset(owned, 0, sizeof(owned));
	asked = draining = 0;
}
