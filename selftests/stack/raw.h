/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stack at /dev/dmm without the SDK: tests say and do with it what the SDK would not. And what tests of daemons need
 * besides: a network namespace, rules, sockets with deadlines.
 */
#ifndef SELFTESTS_STACK_RAW_H
#define SELFTESTS_STACK_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <linux/dmm_dev.h>

/**
 * struct raw - a queue of an instance
 * @queue:	its number
 * @fd:		/dev/dmm
 * @reg:	as the kernel filled it in
 * @arena:	its memory, in which pages and pieces are
 * @memfd:	that it is mapped from
 * @k:		what the kernel writes
 * @s:		what we write
 */
struct raw {
	unsigned int queue;
	int fd;
	struct dmm_register reg;
	uint8_t *arena;
	int memfd;
	const struct dmm_kernel_area *k;
	struct dmm_stack_area *s;
};

/* What is needed at least; all else can be changed before raw_open(). */
struct dmm_register raw_register(const char *name, size_t arena, unsigned int conns);
/*
 * They return 0 or a negative errno. raw_prepare() does all before registering, raw_map() maps the queue of an instance that
 * is registered, raw_open() is all of it. raw_other() is for another queue of the same instance, until raw_unmap().
 */
int raw_prepare(struct raw *r, const struct dmm_register *reg);
int raw_open(struct raw *r, const struct dmm_register *reg);
int raw_map(struct raw *r);
int raw_other(struct raw *other, const struct raw *r, unsigned int queue);
void raw_unmap(struct raw *r);
/* Returns the arena's file; raw_given_back() closes it, and says whether nobody has its memory any more, within a deadline. */
int raw_close(struct raw *r);
bool raw_given_back(int memfd);

/* Returns 0 or a negative errno. */
int raw_enter(struct raw *r, int64_t timeout_ns);
/* The next down event. */
bool raw_take(struct raw *r, struct dmm_event *ev);
/* The next one of this type, within a deadline; those before are dropped. */
bool raw_expect(struct raw *r, unsigned int type, struct dmm_event *ev);
/* Is there no down event? */
bool raw_quiet(struct raw *r);
/* Write an up event, for the next raw_enter(). */
void raw_say(struct raw *r, const struct dmm_event *ev);
/* The same, and enter. */
int raw_tell(struct raw *r, const struct dmm_event *ev);
/* CONNECT, LISTEN and BIND: yes. */
int raw_answer(struct raw *r, const struct dmm_event *asked);
struct dmm_page *raw_page(struct raw *r, uint32_t nr);
/* Put bytes into a ring that has not moved. */
void raw_put(struct raw *r, struct dmm_page *page, const void *data, uint32_t len);

struct raw_test {
	const char *name;
	bool (*fn)(void);
};

/* main() of a test: raw_begin() goes to a namespace of our own, or skips all. */
void raw_begin(void);
/* Runs all of @tests, each after dmmpolicy of @policy if that is not NULL, and whether something is left; exits. */
__attribute__((noreturn))
void raw_finish(const struct raw_test *tests, size_t nr, const char *policy);

/* The family of DMM sockets, or -1: the module is not there, or we may not. */
int raw_af(void);
/* A namespace of our own, with lo up. */
bool raw_netns(void);
/* A daemon; raw_stop() kills it. */
pid_t raw_start(const char *program, const char *name);
void raw_stop(pid_t pid);
/* Run a command; true if it succeeds. */
__attribute__((format(printf, 1, 2)))
bool raw_run(const char *format, ...);
/* The same until it does, within a deadline. */
__attribute__((format(printf, 1, 2)))
bool raw_wait(const char *format, ...);
/* Does nobody use the module? Within a deadline. */
bool raw_unused(void);

/* A socket whose calls end after so many milliseconds, multiplied on slow kernels. */
int raw_socket(int type, unsigned int ms);
union raw_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage ss;
};

/* From text, of either family. */
union raw_address raw_address(const char *text, unsigned int port);
/* To and at 127.0.0.1. */
int raw_connect(int fd, unsigned int port);
int raw_bind(int fd, unsigned int port);
/* Does it serve the socket? */
bool raw_serves(int fd, const char *stack);
/* Milliseconds of the monotonic clock. */
long raw_now(void);

#endif
