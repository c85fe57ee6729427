/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What applications may expect of a stack, as cases that run on real sockets
 * (kernel.c) and on those of the in-process peer (peer.c).
 */
#ifndef DMM_SELFTESTS_CASES_H
#define DMM_SELFTESTS_CASES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

/* Non-blocking sockets; errors are negative errno values. */
struct socket_ops {
	void *(*socket)(void *arg, int family, int type);
	int (*bind)(void *s, const struct sockaddr *sa);
	int (*listen)(void *s, int backlog);
	int (*connect)(void *s, const struct sockaddr *sa);
	void *(*accept)(void *s);
	ssize_t (*send)(void *s, const void *data, size_t len);
	ssize_t (*recv)(void *s, void *data, size_t len);
	ssize_t (*sendto)(void *s, const void *data, size_t len, const struct sockaddr *to);
	ssize_t (*recvfrom)(void *s, void *data, size_t len, struct sockaddr_in6 *from);
	int (*shutdown)(void *s);
	void (*close)(void *s, bool reset);
	int (*error)(void *s);
	int (*wait)(void *s, int events, int ms);
	void (*local)(void *s, struct sockaddr_in6 *sa);
	void (*remote)(void *s, struct sockaddr_in6 *sa);
	/* Which stack serves it; NULL: cannot be asked. */
	const char *(*stack)(void *s);
};

#define SOCKETS_MAX	512

struct net {
	const struct socket_ops *ops;
	void *arg;
	struct in_addr v4;	/* address at which the stack can be reached */
	struct in6_addr v6;
	struct in_addr silent;	/* one at which nobody answers; 0: none is known */
	bool stream, dgram, inet6;	/* what to test */
	const char *stack;	/* name that ops->stack is to give, or NULL */
	unsigned short port;	/* next to use */
	void *open[SOCKETS_MAX];
	unsigned int nr_open;
	void (*report)(const char *name, const char *failed, int code);
	void (*skip)(const char *name, const char *reason);
	const char *failed;	/* what was expected first that did not come */
	int code;
};

/* Run all cases: each is reported, with what failed or NULL, or skipped. */
unsigned int cases_count(void);
void cases_run(struct net *net);

extern const struct socket_ops peer_sockets;
extern const struct socket_ops kernel_sockets;

#endif
