// SPDX-License-Identifier: GPL-2.0-only
#include "listen.h"

#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "conn.h"
#include "decide.h"
#include "family.h"
#include "inherit.h"
#include "instance.h"
#include "listener.h"
#include "native.h"
#include "net.h"
#include "record.h"
#include "sock.h"

/* Listeners that one look at the table of sockets finds. */
#define BATCH	32
/* When an instance that was short of something is asked again. */
#define SYNC_LATER	HZ

/* In step with stacks and policy. */

static bool wanted(struct dmm_listener *l, struct dmm_instance *inst)
{
	return dmm_decide_may_serve(dmm_net(sock_net(l->sk)), &l->flow.flow, inst);
}

/* The listener's connection of an instance, if it is alive.  Under l->sync. */
static struct dmm_conn *conn_of(struct dmm_listener *l, const struct dmm_instance *inst)
{
	struct dmm_conn *conn;

	list_for_each_entry(conn, &l->conns, link)
		if (conn->inst == inst && READ_ONCE(conn->state) <= DMM_CONN_OPEN)
			return conn;
	return NULL;
}

static void take_conn(struct dmm_listener *l, struct dmm_conn *conn)
{
	spin_lock(&l->lock);
	list_del_init(&conn->link);
	spin_unlock(&l->lock);
	dmm_conn_close(conn, false);
}

static int add_conn(struct dmm_listener *l, struct dmm_instance *inst, u32 netns)
{
	struct dmm_conn *conn;
	struct dmm_open open;
	int err;

	dmm_open_init(&open, &l->flow.flow);
	conn = dmm_conn_new(inst, NULL, DMM_CONN_LISTENER, &open, netns, l->sk);
	if (IS_ERR(conn))
		return PTR_ERR(conn);
	conn->backlog = l->backlog;
	conn->listener = dmm_listener_get(l);
	err = dmm_conn_publish(conn);
	if (err) {
		dmm_conn_put(conn);
		return err;
	}
	spin_lock(&l->lock);
	list_add_tail(&conn->link, &l->conns);
	spin_unlock(&l->lock);
	dmm_queue_post(conn, BIT(DMM_EV_LISTEN));
	return 0;
}

/**
 * struct sync - one listener is brought in step
 * @l:		it
 * @again:	an instance was short of something
 */
struct sync {
	struct dmm_listener *l;
	bool again;
};

static int sync_instance(struct dmm_instance *inst, u32 nr, void *arg)
{
	struct sync *s = arg;
	struct dmm_listener *l = s->l;
	struct dmm_conn *conn = conn_of(l, inst);
	bool want = wanted(l, inst);

	if (want && !conn)
		s->again |= add_conn(l, inst, nr) != 0;
	else if (!want && conn)
		take_conn(l, conn);
	return 0;
}

/* Those that an instance gave up, or whose instance is gone or not shared any more. */
static void drop_dead(struct dmm_listener *l)
{
	struct net *net = sock_net(l->sk);
	struct dmm_conn *conn, *next;

	list_for_each_entry_safe(conn, next, &l->conns, link)
		if (READ_ONCE(conn->state) > DMM_CONN_OPEN ||
		    !dmm_instance_serves(conn->inst, net))
			take_conn(l, conn);
}

/* False: not all instances could be asked, for want of memory or of connections. */
static bool sync(struct dmm_listener *l)
{
	struct sync s = { .l = l };

	mutex_lock(&l->sync);
	if (!l->closed) {
		drop_dead(l);
		dmm_instances_walk(sock_net(l->sk), sync_instance, &s);
	}
	mutex_unlock(&l->sync);
	return !s.again;
}

/**
 * struct batch - listeners found
 * @nr:		how many
 * @listener:	they, with references
 */
struct batch {
	unsigned int nr;
	struct dmm_listener *listener[BATCH];
};

static int collect(struct sock *sk, void *arg)
{
	struct batch *batch = arg;
	struct dmm_listener *l;

	if (batch->nr == BATCH)
		return -ENOSPC;
	l = dmm_sock_listener(sk);
	if (l)
		batch->listener[batch->nr++] = l;
	return 0;
}

/* Nobody says when an instance has room again. */
static void sync_later(struct dmm_net *dn)
{
	schedule_delayed_work(&dn->listen_work, SYNC_LATER);
}

static void listen_work(struct work_struct *work)
{
	struct dmm_net *dn = container_of(to_delayed_work(work), struct dmm_net, listen_work);
	unsigned int skip = 0, i;
	struct batch batch;
	bool done = true;
	int err;

	do {
		batch.nr = 0;
		err = dmm_sock_walk(dn->policy.net, &skip, collect, &batch);
		for (i = 0; i < batch.nr; i++) {
			done &= sync(batch.listener[i]);
			dmm_listener_put(batch.listener[i]);
		}
	} while (err);
	if (!done)
		sync_later(dn);
}

void dmm_listen_changed(struct net *net)
{
	mod_delayed_work(system_wq, &dmm_net(net)->listen_work, 0);
}

void dmm_listen_net_init(struct net *net)
{
	INIT_DELAYED_WORK(&dmm_net(net)->listen_work, listen_work);
}

void dmm_listen_net_exit(struct net *net)
{
	cancel_delayed_work_sync(&dmm_net(net)->listen_work);
}

/* The listener's life. */

static void set_backlog(struct dmm_listener *l, int backlog)
{
	struct dmm_conn *conn;

	mutex_lock(&l->sync);
	if (l->closed)
		goto out_unlock;
	l->backlog = backlog;
	list_for_each_entry(conn, &l->conns, link) {
		WRITE_ONCE(conn->backlog, backlog);
		spin_lock(&conn->lock);
		if (conn->state <= DMM_CONN_OPEN)
			dmm_queue_post(conn, BIT(DMM_EV_LISTEN));
		spin_unlock(&conn->lock);
	}
out_unlock:
	mutex_unlock(&l->sync);
}

/* Options were set that may concern which stacks can serve it. */
void dmm_listen_options(struct sock *sk)
{
	struct dmm_listener *l = dmm_sock_listener(sk);
	bool kernel_only, changed;

	if (!l)
		return;
	kernel_only = dmm_needs_kernel(sk);
	mutex_lock(&l->sync);
	changed = l->flow.flow.kernel_only != kernel_only;
	l->flow.flow.kernel_only = kernel_only;
	mutex_unlock(&l->sync);
	if (changed && !sync(l))
		sync_later(dmm_net(sock_net(sk)));
	dmm_listener_put(l);
}

int dmm_listen_start(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	struct dmm_listener *l = dmm_sock_listener(sk);

	backlog = min_t(unsigned int, backlog, READ_ONCE(sock_net(sk)->core.sysctl_somaxconn));
	if (l) {
		set_backlog(l, backlog);
	} else {
		l = dmm_listener_new(sk, backlog);
		if (!l)
			return -ENOMEM;
		dmm_flow_init(&l->flow.flow, sk, DMM_ROLE_LISTEN, NULL);
		dmm_flow_pin(&l->flow);
		if (!dmm_sock_set_listener(sk, l)) {
			dmm_listener_put(l);
			return 0;
		}
		if (!sync(l))
			sync_later(dmm_net(sock_net(sk)));
		dmm_listener_wait(l);
	}
	dmm_listener_put(l);
	return 0;
}

/* accept(). */

static void flow_of(struct dmm_flow *flow, const struct sock *sk,
		    const struct dmm_conn *conn)
{
	dmm_flow_init(flow, sk, DMM_ROLE_LISTEN, NULL);
	memcpy(&flow->src, conn->open.local, sizeof(flow->src));
	memcpy(&flow->dst, conn->open.remote, sizeof(flow->dst));
	flow->sport = ntohs(conn->open.lport);
	flow->dport = ntohs(conn->open.rport);
	flow->family = conn->open.family;
}

/* May this connection go on, which came in on a user stack? */
static int decide(struct sock *sk, const struct dmm_conn *conn, struct dmm_decision *d)
{
	struct dmm_net *dn = dmm_net(sock_net(sk));
	struct dmm_sockopts opts;
	struct dmm_flow flow;

	flow_of(&flow, sk, conn);
	dmm_decide_arrived(dn, &flow, conn->inst, d, &opts);
	dmm_record(dn, sk, &flow, d, NULL);
	return d->err;
}

static int give(struct socket *newsock, struct sock *listener, struct dmm_conn *conn,
		const struct dmm_decision *d)
{
	struct sock *sk;
	int err;

	err = dmm_family_carrier(newsock, listener);
	if (err)
		return err;
	sk = newsock->sk;
	dmm_inherit(newsock, listener);
	if (!dmm_sock_claim(sk, conn, d))
		return -ECONNABORTED;
	dmm_conn_attach(conn, sk);
	newsock->state = SS_CONNECTED;
	return 0;
}

int dmm_listen_accept(struct socket *sock, struct socket *newsock)
{
	struct dmm_listener *l = dmm_sock_listener(sock->sk);
	struct dmm_decision d;
	struct dmm_conn *conn;
	int err = -EAGAIN;

	if (!l)
		return err;
	while ((conn = dmm_listener_pop(l))) {
		err = decide(sock->sk, conn, &d);
		if (!err) {
			err = give(newsock, sock->sk, conn, &d);
			if (!err)
				dmm_conn_put(conn);
			else
				dmm_conn_close(conn, true);
			break;
		}
		dmm_conn_close(conn, true);
		err = -EAGAIN;
		/* There may be no end of those that are refused. */
		if (signal_pending(current))
			break;
		cond_resched();
	}
	dmm_listener_put(l);
	return err;
}
