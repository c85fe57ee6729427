/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of <linux/dmm_dev.h> in the same process, for tests of stacks:
 * no module, no privilege, and sanitizers and fuzzers see both sides.
 *
 *	struct dmm_peer *peer = dmm_peer_new();
 *	struct dmm_device device = dmm_peer_device(peer);
 *	struct dmm_stack_config config = { .device = &device, ... };
 *
 *	dmm_stack_open(&stack, &config);
 *	dmm_peer_socket(peer, AF_INET, SOCK_STREAM, &s);
 *	dmm_peer_connect(s, ...);
 *	dmm_stack_poll(dmm_stack_queue(stack, 0), 0);
 *
 * Link with -ldmm-stack-peer before libdmm-stack, and -pthread.
 *
 * The sockets are applications' as far as a stack can tell.  Calls never block
 * but dmm_peer_wait(): they return -EAGAIN or -EINPROGRESS as a non-blocking
 * socket's do, and otherwise what the system call of the name returns, with a
 * negative errno.  Everything here can be called from any thread; a socket is
 * closed once, by one of them.
 *
 * Not modelled: which addresses are in use, permissions, and deadlines.
 */
#ifndef DMM_STACK_PEER_H
#define DMM_STACK_PEER_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <dmm/stack.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dmm_peer;
struct dmm_peer_socket;

/* dmm_peer_new() - a kernel without instance; NULL: no memory */
struct dmm_peer *dmm_peer_new(void);

/* dmm_peer_free() - after the stack has been closed; sockets that are left are freed, too */
void dmm_peer_free(struct dmm_peer *peer);

/**
 * dmm_peer_device() - as if /dev/dmm were opened
 *
 * The first is for dmm_stack_open(), further ones for dmm_stack_takeover() from
 * the one before.  A peer has one instance.
 */
struct dmm_device dmm_peer_device(struct dmm_peer *peer);

/**
 * struct dmm_peer_stats - what the peer has seen
 * @stale:	up events of connections that were not there, or not in that state
 * @violations:	shared words of the stack that made no sense, up events that do
 *		not exist: faults of the stack or the SDK
 * @conns:	connections, listeners and datagram sockets that the stack has
 *		not given back
 * @pages:	pages of the arena in use
 * @moves:	rings that have moved to a larger piece
 * @held_back:	down events that had to wait for room
 */
struct dmm_peer_stats {
	uint64_t stale;
	uint64_t violations;
	uint64_t conns;
	uint64_t pages;
	uint64_t moves;
	uint64_t held_back;
};

void dmm_peer_stats(struct dmm_peer *peer, struct dmm_peer_stats *stats);

/* dmm_peer_socket() - socket(2) of AF_INET or AF_INET6, SOCK_STREAM or SOCK_DGRAM */
int dmm_peer_socket(struct dmm_peer *peer, int family, int type, struct dmm_peer_socket **s);

/* Before the socket is used: number of its namespace (0), its queue (0), IPV6_V6ONLY (false). */
void dmm_peer_set_netns(struct dmm_peer_socket *s, uint32_t netns);
void dmm_peer_set_queue(struct dmm_peer_socket *s, unsigned int queue);
void dmm_peer_set_v6only(struct dmm_peer_socket *s, bool v6only);

int dmm_peer_bind(struct dmm_peer_socket *s, const struct sockaddr *sa);
int dmm_peer_listen(struct dmm_peer_socket *s, int backlog);
int dmm_peer_connect(struct dmm_peer_socket *s, const struct sockaddr *sa);
int dmm_peer_accept(struct dmm_peer_socket *listener, struct dmm_peer_socket **s);
ssize_t dmm_peer_send(struct dmm_peer_socket *s, const void *data, size_t len);
ssize_t dmm_peer_recv(struct dmm_peer_socket *s, void *data, size_t len);
ssize_t dmm_peer_sendto(struct dmm_peer_socket *s, const void *data, size_t len,
			const struct sockaddr *to);
ssize_t dmm_peer_recvfrom(struct dmm_peer_socket *s, void *data, size_t len,
			  struct sockaddr_in6 *from);

/* dmm_peer_shutdown() - SHUT_WR */
int dmm_peer_shutdown(struct dmm_peer_socket *s);

/* dmm_peer_close() - with @reset as SO_LINGER of 0 does */
void dmm_peer_close(struct dmm_peer_socket *s, bool reset);

/* dmm_peer_error() - SO_ERROR: a positive errno, once; 0: none */
int dmm_peer_error(struct dmm_peer_socket *s);

/* dmm_peer_events() - POLLIN, POLLOUT, POLLERR, POLLHUP, POLLRDHUP as poll(2) has them */
int dmm_peer_events(struct dmm_peer_socket *s);

/* dmm_peer_wait() - until any of @events, POLLERR or POLLHUP, or for @ms; as dmm_peer_events() */
int dmm_peer_wait(struct dmm_peer_socket *s, int events, int ms);

/* The ends; IPv4 in its v4-mapped form. */
void dmm_peer_local(struct dmm_peer_socket *s, struct sockaddr_in6 *sa);
void dmm_peer_remote(struct dmm_peer_socket *s, struct sockaddr_in6 *sa);

/* dmm_peer_set_options() - as if setsockopt(2) had changed them */
void dmm_peer_set_options(struct dmm_peer_socket *s, const struct dmm_options *options);

/* dmm_peer_metrics() - what the stack wrote; false: no connection */
bool dmm_peer_metrics(struct dmm_peer_socket *s, struct dmm_metrics *metrics);

/**
 * dmm_peer_fuzz() - applications that do what some bytes say
 * @config:	of the stack; its device is ours
 *
 * Opens the stack, makes up to 16 sockets, has them bind, listen, connect, send,
 * receive, shut down and close in any order, polls the stack's queues in between,
 * and at last waits, two seconds at most, until the stack has given back all.  With
 * libFuzzer this is a whole fuzzer of a stack:
 *
 *	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *	{
 *		const char *wrong = dmm_peer_fuzz(&config, data, size);
 *
 *		return wrong ? abort(), 0 : 0;
 *	}
 *
 * Returns what the stack has done wrong, or NULL.  What the stack has of its own, but
 * for connections, the author has to forget before the next call.
 */
const char *dmm_peer_fuzz(const struct dmm_stack_config *config, const void *data, size_t size);

/*
 * For fuzzers: an event as it is, and a connection's page, NULL when it has none.
 * What a peer does after that is not checked any more.
 */
void dmm_peer_inject(struct dmm_peer *peer, unsigned int queue, const struct dmm_event *event);
struct dmm_page *dmm_peer_page(struct dmm_peer_socket *s);

#ifdef __cplusplus
}
#endif

#endif /* DMM_STACK_PEER_H */
