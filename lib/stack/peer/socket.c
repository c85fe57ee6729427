// SPDX-License-Identifier: Apache-2.0
/* The application's calls but those that move data. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

static void lock(struct dmm_peer_socket *s)
{
	pthread_mutex_lock(&s->peer->lock);
}

static void unlock(struct dmm_peer_socket *s)
{
	pthread_mutex_unlock(&s->peer->lock);
}

static void map_v4(uint8_t addr[16], const struct in_addr *in)
{
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	memcpy(addr + 12, in, 4);
}

static int from_sockaddr(const struct sockaddr *sa, uint8_t addr[16], __be16 *port)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->sa_family == AF_INET) {
		map_v4(addr, &in->sin_addr);
		*port = in->sin_port;
		return 0;
	}
	if (sa->sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(addr, &in6->sin6_addr, 16);
	*port = in6->sin6_port;
	return 0;
}

static bool is_mapped(const uint8_t addr[16])
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr);
}

static void to_sockaddr(const uint8_t addr[16], __be16 port, struct sockaddr_in6 *sa)
{
	*sa = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
	memcpy(&sa->sin6_addr, addr, 16);
}

int dmm_peer_socket(struct dmm_peer *peer, int family, int type, struct dmm_peer_socket **sp)
{
	struct dmm_peer_socket *s;

	pthread_mutex_lock(&peer->lock);
	s = dmm_peer_new_socket(peer, family, type);
	if (s && family == AF_INET)
		map_v4(s->ends.local, &(struct in_addr){ 0 });
	pthread_mutex_unlock(&peer->lock);
	*sp = s;
	return s ? 0 : -ENOMEM;
}

void dmm_peer_set_netns(struct dmm_peer_socket *s, uint32_t netns)
{
	s->ends.netns = netns;
}

void dmm_peer_set_queue(struct dmm_peer_socket *s, unsigned int queue)
{
	s->queue = queue;
}

void dmm_peer_set_v6only(struct dmm_peer_socket *s, bool v6only)
{
	s->v6only = v6only;
}

/* Give the socket's connection to the stack, with its first event. */
static int hand_over(struct dmm_peer_socket *s, enum sock_state state, uint16_t event)
{
	int ret = dmm_peer_conn_make(s);

	if (ret)
		return ret;
	s->state = state;
	dmm_peer_say_open(s, event, s->backlog);
	return 0;
}

static int do_bind(struct dmm_peer_socket *s, const struct sockaddr *sa)
{
	int ret;

	if (s->state != SOCK_IDLE)
		return -EINVAL;
	ret = from_sockaddr(sa, s->ends.local, &s->ends.lport);
	if (ret || s->type == SOCK_STREAM)
		return ret;
	s->ends.family = is_mapped(s->ends.local) ? AF_INET : s->family;
	return hand_over(s, SOCK_BINDING, DMM_EV_BIND);
}

int dmm_peer_bind(struct dmm_peer_socket *s, const struct sockaddr *sa)
{
	int ret;

	lock(s);
	ret = do_bind(s, sa);
	unlock(s);
	return ret;
}

static int do_listen(struct dmm_peer_socket *s, int backlog)
{
	bool again = s->state == SOCK_LISTENER || s->state == SOCK_LISTENING;

	if (!again && s->state != SOCK_IDLE)
		return -EINVAL;
	s->backlog = backlog;
	if (!again)
		return hand_over(s, SOCK_LISTENING, DMM_EV_LISTEN);
	dmm_peer_say_open(s, DMM_EV_LISTEN, backlog);
	dmm_peer_admit(s);
	return 0;
}

int dmm_peer_listen(struct dmm_peer_socket *s, int backlog)
{
	int ret;

	lock(s);
	ret = do_listen(s, backlog);
	unlock(s);
	return ret;
}

static int do_connect(struct dmm_peer_socket *s, const struct sockaddr *sa)
{
	bool again = s->type == SOCK_DGRAM && s->state == SOCK_OPEN;
	int ret;

	if (!again && s->state != SOCK_IDLE)
		return s->state == SOCK_CONNECTING ? -EALREADY : -EISCONN;
	ret = from_sockaddr(sa, s->ends.remote, &s->ends.rport);
	if (ret)
		return ret;
	s->ends.family = is_mapped(s->ends.remote) ? AF_INET : AF_INET6;
	s->error = 0;
	s->connected = true;
	if (again) {
		s->state = SOCK_CONNECTING;
		dmm_peer_say_open(s, DMM_EV_CONNECT, 0);
	} else {
		ret = hand_over(s, SOCK_CONNECTING, DMM_EV_CONNECT);
	}
	return ret ? ret : -EINPROGRESS;
}

int dmm_peer_connect(struct dmm_peer_socket *s, const struct sockaddr *sa)
{
	int ret;

	lock(s);
	ret = do_connect(s, sa);
	unlock(s);
	return ret;
}

int dmm_peer_accept(struct dmm_peer_socket *listener, struct dmm_peer_socket **sp)
{
	struct dmm_peer_socket *s;

	lock(listener);
	s = dmm_peer_next_child(listener);
	dmm_peer_admit(listener);
	unlock(listener);
	*sp = s;
	return s ? 0 : -EAGAIN;
}

static int do_shutdown(struct dmm_peer_socket *s)
{
	if (s->state != SOCK_OPEN)
		return -ENOTCONN;
	if (s->shut)
		return 0;
	s->shut = true;
	if (s->pair)
		s->pair->eof = true;
	else if (s->id)
		dmm_peer_say(s, DMM_EV_SHUTDOWN, 0, 0);
	pthread_cond_broadcast(&s->peer->wake_apps);
	return 0;
}

int dmm_peer_shutdown(struct dmm_peer_socket *s)
{
	int ret;

	lock(s);
	ret = do_shutdown(s);
	unlock(s);
	return ret;
}

static void close_pair(struct dmm_peer_socket *s, bool reset)
{
	struct dmm_peer_socket *other = s->pair;

	if (!other)
		return;
	other->eof = true;
	other->pair = NULL;
	/* Bytes that nobody reads reset, as with TCP. */
	if (reset || s->inbox.len)
		dmm_peer_fail(other, ECONNRESET);
	s->pair = NULL;
}

static void do_close(struct dmm_peer_socket *s, bool reset)
{
	struct dmm_peer_socket *child;

	s->app_gone = true;
	if (s->state == SOCK_LISTENER || s->state == SOCK_LISTENING) {
		while ((child = dmm_peer_next_child(s)))
			do_close(child, true);
		dmm_peer_listener_gone(s);
	} else if (s->id && s->state == SOCK_OPEN && s->type == SOCK_STREAM) {
		reset = reset || dmm_reader_look(&s->rx);
	}
	close_pair(s, reset);
	if (!s->id) {
		dmm_peer_put_socket(s);
		return;
	}
	s->closing = true;
	dmm_peer_say(s, DMM_EV_CLOSE, reset ? DMM_EVF_RESET : 0, 0);
}

void dmm_peer_close(struct dmm_peer_socket *s, bool reset)
{
	struct dmm_peer *peer = s->peer;

	pthread_mutex_lock(&peer->lock);
	do_close(s, reset);
	pthread_cond_broadcast(&peer->wake_apps);
	pthread_mutex_unlock(&peer->lock);
}

int dmm_peer_error(struct dmm_peer_socket *s)
{
	int error;

	lock(s);
	error = s->error;
	s->error = 0;
	unlock(s);
	return error;
}

static bool has_data(struct dmm_peer_socket *s)
{
	if (s->inbox.len || s->eof)
		return true;
	if (!s->id)
		return false;
	if (dmm_reader_look(&s->rx))
		return true;
	store_relaxed(&s->page->rx.wants_data, 1);
	full_barrier();
	return dmm_reader_look(&s->rx) > 0;
}

static bool has_space(struct dmm_peer_socket *s)
{
	if (s->pair)
		return s->pair->inbox.len < 65536;
	if (!s->id || s->shut)
		return true;
	if (dmm_writer_look(&s->tx))
		return true;
	if (dmm_peer_grow(s, &s->tx_pieces, &s->page->tx, 0))
		return true;
	store_relaxed(&s->page->tx.wants_space, 1);
	full_barrier();
	return dmm_writer_look(&s->tx) > 0;
}

static bool has_child(struct dmm_peer_socket *s)
{
	return s->queued > 0;
}

static int events_of(struct dmm_peer_socket *s)
{
	int events = s->error ? POLLERR : 0;

	switch (s->state) {
	case SOCK_LISTENER:
		return events | (has_child(s) ? POLLIN : 0);
	case SOCK_OPEN:
		events |= has_data(s) ? POLLIN : 0;
		events |= has_space(s) ? POLLOUT : 0;
		events |= s->eof ? POLLRDHUP : 0;
		return events | (s->eof && s->shut ? POLLHUP : 0);
	case SOCK_DEAD:
		return events | POLLHUP | POLLIN | POLLOUT | POLLRDHUP;
	case SOCK_IDLE:
		return events | POLLHUP | POLLOUT;
	}
	return events;
}

int dmm_peer_events(struct dmm_peer_socket *s)
{
	int events;

	lock(s);
	events = events_of(s);
	unlock(s);
	return events;
}

int dmm_peer_wait(struct dmm_peer_socket *s, int events, int ms)
{
	struct timespec end = dmm_peer_deadline(ms * INT64_C(1000000));
	int got;

	lock(s);
	while (!((got = events_of(s)) & (events | POLLERR | POLLHUP)))
		if (pthread_cond_timedwait(&s->peer->wake_apps, &s->peer->lock, &end))
			break;
	unlock(s);
	return got;
}

void dmm_peer_local(struct dmm_peer_socket *s, struct sockaddr_in6 *sa)
{
	lock(s);
	to_sockaddr(s->ends.local, s->ends.lport, sa);
	unlock(s);
}

void dmm_peer_remote(struct dmm_peer_socket *s, struct sockaddr_in6 *sa)
{
	lock(s);
	to_sockaddr(s->ends.remote, s->ends.rport, sa);
	unlock(s);
}

void dmm_peer_set_options(struct dmm_peer_socket *s, const struct dmm_options *options)
{
	lock(s);
	if (s->id) {
		s->page->options = *options;
		dmm_peer_say(s, DMM_EV_OPTION, 0, 0);
	}
	unlock(s);
}

bool dmm_peer_metrics(struct dmm_peer_socket *s, struct dmm_metrics *metrics)
{
	bool there;

	lock(s);
	there = s->id;
	if (there)
		*metrics = s->page->metrics;
	unlock(s);
	return there;
}

struct dmm_page *dmm_peer_page(struct dmm_peer_socket *s)
{
	return s->page;
}
