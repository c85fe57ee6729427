// SPDX-License-Identifier: GPL-2.0-only
/* The sockets of the cases, as those of the in-process peer. */
#include <dmm/stack_peer.h>

#include "cases.h"

static void *peer_socket(void *arg, int family, int type)
{
	struct dmm_peer_socket *s;

	return dmm_peer_socket(arg, family, type, &s) ? NULL : s;
}

static int peer_bind(void *s, const struct sockaddr *sa)
{
	return dmm_peer_bind(s, sa);
}

static int peer_listen(void *s, int backlog)
{
	return dmm_peer_listen(s, backlog);
}

static int peer_connect(void *s, const struct sockaddr *sa)
{
	return dmm_peer_connect(s, sa);
}

static void *peer_accept(void *s)
{
	struct dmm_peer_socket *child;

	return dmm_peer_accept(s, &child) ? NULL : child;
}

static ssize_t peer_send(void *s, const void *data, size_t len)
{
	return dmm_peer_send(s, data, len);
}

static ssize_t peer_recv(void *s, void *data, size_t len)
{
	return dmm_peer_recv(s, data, len);
}

static ssize_t peer_sendto(void *s, const void *data, size_t len, const struct sockaddr *to)
{
	return dmm_peer_sendto(s, data, len, to);
}

static ssize_t peer_recvfrom(void *s, void *data, size_t len, struct sockaddr_in6 *from)
{
	return dmm_peer_recvfrom(s, data, len, from);
}

static int peer_shutdown(void *s)
{
	return dmm_peer_shutdown(s);
}

static void peer_close(void *s, bool reset)
{
	dmm_peer_close(s, reset);
}

static int peer_error(void *s)
{
	return dmm_peer_error(s);
}

static int peer_wait(void *s, int events, int ms)
{
	return dmm_peer_wait(s, events, ms);
}

static void peer_local(void *s, struct sockaddr_in6 *sa)
{
	dmm_peer_local(s, sa);
}

static void peer_remote(void *s, struct sockaddr_in6 *sa)
{
	dmm_peer_remote(s, sa);
}

const struct socket_ops peer_sockets = {
	.socket = peer_socket,
	.bind = peer_bind,
	.listen = peer_listen,
	.connect = peer_connect,
	.accept = peer_accept,
	.send = peer_send,
	.recv = peer_recv,
	.sendto = peer_sendto,
	.recvfrom = peer_recvfrom,
	.shutdown = peer_shutdown,
	.close = peer_close,
	.error = peer_error,
	.wait = peer_wait,
	.local = peer_local,
	.remote = peer_remote,
};
