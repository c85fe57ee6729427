/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to the netlink family "dmm", attribute by attribute: these tests say things that no library would let them
 * say, and look at all that the kernel answers.
 */
#ifndef DMM_SELFTESTS_POLICY_NL_H
#define DMM_SELFTESTS_POLICY_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <linux/dmm.h>

#include "kselftest.h"

/* An attribute of a request. Lists end with one of type 0. */
struct attr {
	uint16_t type;
	uint16_t len;
	const void *data;
};

#define U8(t, v)	{ (t), 1, &(const uint8_t){ v } }
#define U16(t, v)	{ (t), 2, &(const uint16_t){ v } }
#define U32(t, v)	{ (t), 4, &(const uint32_t){ v } }
#define U64(t, v)	{ (t), 8, &(const uint64_t){ v } }
#define STR(t, s)	{ (t), sizeof(s), (s) }
#define BIN(t, ...)	{ (t), sizeof((const uint8_t[]){ __VA_ARGS__ }), (const uint8_t[]){ __VA_ARGS__ } }
#define NONE(t)		{ (t), 0, "" }
/* ADDR4(type, length, bytes of the address...) */
#define ADDR4(t, l, ...) { (t), sizeof(struct dmm_prefix),				\
			   &(const struct dmm_prefix){ .family = 2, .len = (l), .addr = { __VA_ARGS__ } } }
#define ADDR6(t, l, ...) { (t), sizeof(struct dmm_prefix),				\
			   &(const struct dmm_prefix){ .family = 10, .len = (l), .addr = { __VA_ARGS__ } } }
/* PORTS(type, { lo, hi }, ...) */
#define PORTS(t, ...)	{ (t), sizeof((const struct dmm_port_range[]){ __VA_ARGS__ }),	\
			  (const struct dmm_port_range[]){ __VA_ARGS__ } }
#define ATTRS(...)	((const struct attr[]){ __VA_ARGS__, { 0 } })
#define NO_ATTRS	((const struct attr[]){ { 0 } })
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
/* What the simplest rule says. */
#define KERNEL		STR(DMM_A_RULE_STACK, "kernel")

struct dnl {
	struct nl_sock *sk;
	int fd;
	int family;
	uint32_t seq;
};

/**
 * struct answer - what the kernel said to a request
 * @err:	negative errno
 * @text:	of the extended acknowledgement, "" for none
 * @attr:	type of the attribute that it complains about, 0 for none
 * @cmd:	of the reply, 0 if there was none
 * @tb:		its attributes
 */
struct answer {
	int err;
	char text[256];
	int attr;
	int cmd;
	struct nlattr *tb[64];
	char reply[8192];
};

/* A reply, or part of a dump, or an event. */
typedef void (*message_fn)(void *arg, int cmd, struct nlattr **tb);

/* Opened in the caller's network namespace. Failures end the program. */
struct dnl *dnl_open(void);
/* At this netlink port, 0 for any. */
struct dnl *dnl_open_at(uint32_t port);
void dnl_close(struct dnl *nl);
uint32_t dnl_port(const struct dnl *nl);
void dnl_join(struct dnl *nl, const char *group);

/* The message that @attrs make, for ddnl_transact(). */
struct nl_msg *dnl_message(const struct dnl *nl, int cmd, int flags, const struct attr *attrs);
/* Send @msg, which is freed, and wait for the answer. */
int dnl_transact(struct dnl *nl, struct nl_msg *msg, struct answer *a);
/* Both in one. */
int dnl_ask(struct dnl *nl, int cmd, int flags, const struct attr *attrs, struct answer *a);
/* For those who look at nothing but the errno. */
int dnl_do(struct dnl *nl, int cmd, const struct attr *attrs);
/* For what cannot fail in a test that is right: says so and exits if it does. */
void dnl_must(struct dnl *nl, int cmd, const struct attr *attrs);

/**
 * dnl_dump() - all messages of a dump
 * @changed:	set if the kernel says that the table changed meanwhile, may be NULL
 */
int dnl_dump(struct dnl *nl, int cmd, const struct attr *attrs, message_fn fn, void *arg, bool *changed);
/* Deliver the events that are there, after waiting for one up to @ms; how many. */
int dnl_events(struct dnl *nl, int ms, message_fn fn, void *arg);

/* Shorthands. */
uint32_t dnl_rule_add(struct dnl *nl, const struct attr *attrs);	/* its id, 0 if it was refused */
uint64_t dnl_generation(struct dnl *nl);
uint32_t dnl_stat(struct dnl *nl, int attr);
uint64_t dnl_commit(struct dnl *nl);				/* the generation, 0 if it failed */
uint32_t dnl_explain(struct dnl *nl, const struct attr *attrs);	/* the rule, 0 for the built-in one */
/* A number that differs when anything in the table does, counters apart. */
uint64_t dnl_fingerprint(struct dnl *nl);

#endif
