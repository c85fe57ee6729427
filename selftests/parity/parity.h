/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nothing a program can see of a DMM socket differs from AF_INET.
 *
 * A scenario is a function that uses sockets and writes down what it sees:
 * return values, errnos, poll masks, addresses, bytes.  It is run once with
 * AF_INET sockets and once with each kind of DMM socket, in a process of its
 * own each time; what it wrote has to be the same.  What must hold whatever
 * AF_INET does is asserted with CHECK() besides.
 *
 * A trace has to repeat: ports are named in order of appearance, a scenario
 * waits for the state it wants to look at, and runs on one CPU, where a packet
 * on the loopback interface has been processed before its sender goes on.
 */
#ifndef PARITY_H
#define PARITY_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/dmm.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* How a socket is made. */
enum way {
	PLAIN,		/* socket(AF_INET, ...) */
	FAMILY,		/* socket(AF_DMM, ...) */
	PROTOCOL,	/* socket(AF_INET, SOCK_STREAM, IPPROTO_DMM) */
};

/* The variant that this process runs. */
struct run {
	int family;		/* AF_INET or AF_INET6 */
	enum way client;
	enum way server;
	bool nonblock;
	int af_dmm;		/* number of the family */
	bool hasty;		/* known to differ: no use in waiting for what does not come */
};

extern struct run run;

struct scenario {
	const char *name;
	void (*fn)(void);
	unsigned int flags;
};

#define ONE_ROLE	0x01	/* client and server need not be told apart */
#define ONE_MODE	0x02	/* does the same blocking and not: run blocking */
#define DGRAM		0x04	/* datagram sockets: no IPPROTO_DMM */
#define V4_ONLY		0x08
#define V6_ONLY		0x10
#define ONLY_DMM	0x20	/* about DMM itself: nothing to compare with, CHECK() decides */
#define MANY_CPUS	0x40	/* wants real concurrency */

extern const struct scenario address_scenarios[];
extern const struct scenario bpf_scenarios[];
extern const struct scenario close_scenarios[];
extern const struct scenario connect_scenarios[];
extern const struct scenario create_scenarios[];
extern const struct scenario data_scenarios[];
extern const struct scenario dgram_scenarios[];
extern const struct scenario dmm_scenarios[];
extern const struct scenario fastopen_scenarios[];
extern const struct scenario fd_scenarios[];
extern const struct scenario ioctl_scenarios[];
extern const struct scenario option_scenarios[];
extern const struct scenario poll_scenarios[];
extern const struct scenario signal_scenarios[];
extern const struct scenario storm_scenarios[];
extern const struct scenario tls_scenarios[];
extern const struct scenario uring_scenarios[];
extern const struct scenario visible_scenarios[];

/* What the program does when it was started with EXEC_HELPER: fd.c. */
#define EXEC_HELPER	"--exec-helper"
int exec_helper(char **argv);

/* --- trace.c: what a scenario writes down --- */

#define TRACE_MAX	(8 << 20)

struct trace {
	bool failed;		/* a CHECK() did not hold, or setup went wrong */
	char skip[160];		/* why the scenario cannot run here, or empty */
	size_t len;
	char text[TRACE_MAX];
};

extern struct trace *trace;

void see(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void see_bytes(const char *what, const void *buf, ssize_t len);
void see_poll(const char *when, int fd);
void see_name(const char *what, int fd);
void see_error(int fd);
const char *show_events(uint32_t events);
const char *show_addr(const void *sa, socklen_t len);
const char *show_port(int port);
void forget_ports(void);
long see_result(const char *call, long ret);
void check_failed(const char *file, int line, const char *cond);
void skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void give_up(const char *file, int line, const char *what) __attribute__((noreturn));

/* Call, and write down the result or the errno; the value is the result. */
#define TRY(call) ({ errno = 0; see_result(#call, (call)); })

/* Call something that the scenario needs; it is not what is looked at. */
#define MUST(call)							\
	({								\
		__auto_type ret_ = (call);				\
		if ((long)ret_ < 0)					\
			give_up(__FILE__, __LINE__, #call);		\
		ret_;							\
	})

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			check_failed(__FILE__, __LINE__, #cond);	\
	} while (0)

/* --- net.c: sockets and connections --- */

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage ss;
};

struct pair {
	int l;		/* listener */
	int c;		/* client's end */
	int s;		/* server's end */
};

/* Levels of the address family's own options. */
#define SOL_OWN		(run.family == AF_INET ? SOL_IP : SOL_IPV6)

int client(int type);
int server(int type);
int plain(int type);
int make(enum way way, int type);
socklen_t addr_len(void);
union addr loopback(int port);
union addr local_addr(int fd);
int port_of(const union addr *a);
int bound(int fd, int port);
int listener(void);
union addr dead_end(void);
void dial(int c, int l);
void dial_to(int c, const union addr *a);
int take(int l);
struct pair pair(void);
void wait_for(int fd, short events);
void wait_bytes(int fd, int n);
void wait_signal(int sig);
void wait_unsent(int fd);
void wait_asleep(int tid);
void put(int fd, const char *text);
void get(int fd, size_t n);
void echo(int a, int b);
int get_int(int fd, int level, int opt);
void set_int(int fd, int level, int opt, int value);
void write_file(const char *path, const char *text);

static inline int accept_flags(void)
{
	return run.nonblock ? SOCK_NONBLOCK : 0;
}

#endif /* PARITY_H */
