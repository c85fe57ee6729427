// SPDX-License-Identifier: GPL-2.0-only
/* Stacks in user space: what a daemon asks for at /dev/dmm, and what its sockets do. */
#include "faults.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../stack/raw.h"

#define ARENA	(64u << 10)
#define PORT	4300

static struct raw r;
/* The event of a connection or listener, and what is to be said. */
static struct dmm_event ev;
static int fd = -1, listener = -1, accepted = -1, other = -1;

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

static void must(bool ok, const char *what)
{
	if (!ok)
		give_up(what);
}

void add_stack_rule(void)
{
	must(raw_run("dmmpolicy rule add prio 5 sport %u stack raw strict && dmmpolicy rule add prio 5 dport %u stack raw strict",
		     PORT, PORT), "rules");
}

/* What they need. */

static struct dmm_register what(void)
{
	return raw_register("raw", ARENA, 8);
}

static void open_device(void)
{
	struct dmm_register reg = what();

	must(!raw_prepare(&r, &reg), "the device");
	r.reg.arena_fd = r.memfd;
}

static void open_instance(void)
{
	struct dmm_register reg = what();

	must(!raw_open(&r, &reg), "an instance");
}

static void make_socket(int type)
{
	fd = raw_socket(type, 5000);
	must(fd >= 0, "a socket");
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void open_stream(void)
{
	open_instance();
	make_socket(SOCK_STREAM);
}

static void open_dgram(void)
{
	open_instance();
	make_socket(SOCK_DGRAM);
}

static void open_bound(void)
{
	open_stream();
	must(!raw_bind(fd, PORT), "bind");
}

static void open_connected(void)
{
	open_stream();
	must(raw_connect(fd, PORT) == -1 && errno == EINPROGRESS && raw_expect(&r, DMM_EV_CONNECT, &ev) && !raw_answer(&r, &ev),
	     "a connection");
}

static void open_readable(void)
{
	open_connected();
	raw_put(&r, raw_page(&r, ev.open.page), "0123456789", 10);
}

static void open_listener(void)
{
	open_instance();
	listener = raw_socket(SOCK_STREAM, 5000);
	must(!raw_bind(listener, PORT) && !listen(listener, 5) && raw_expect(&r, DMM_EV_LISTEN, &ev) && !raw_answer(&r, &ev),
	     "a listener");
	fcntl(listener, F_SETFL, O_NONBLOCK);
}

/* The stack will say that there is a connection. */
static void open_incoming(void)
{
	open_listener();
	ev.type = DMM_EV_INCOMING;
	memcpy(ev.open.local, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
	memcpy(ev.open.remote, ev.open.local, 16);
	ev.open.rport = htons(1);
	ev.open.token = 5;
	raw_say(&r, &ev);
}

static void open_acceptable(void)
{
	open_incoming();
	must(!raw_enter(&r, 0) && raw_expect(&r, DMM_EV_ACCEPT, &ev), "a connection to accept");
}

/* The stack will say that two are one. */
static void open_pair(void)
{
	struct dmm_event listens;

	open_listener();
	listens = ev;
	make_socket(SOCK_STREAM);
	must(raw_connect(fd, PORT) == -1 && errno == EINPROGRESS && raw_expect(&r, DMM_EV_CONNECT, &ev), "half a pair");
	ev.type = DMM_EV_PAIR;
	memcpy(ev.open.local, ev.open.remote, 16);
	ev.open.lport = htons(50000);
	ev.open.token = listens.conn;
	raw_say(&r, &ev);
}

static void open_paired(void)
{
	open_pair();
	must(!raw_enter(&r, 0), "a pair");
	accepted = accept(listener, NULL, NULL);
	must(accepted >= 0 && raw_serves(fd, "raw"), "a pair");
}

/* Another namespace, which it may be shared with. */
static void open_other(void)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	open_instance();
	must(!unshare(CLONE_NEWNET), "a namespace");
	other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	must(!setns(here, CLONE_NEWNET), "the namespace of before");
	close(here);
}

static void close_one(int *sock)
{
	if (*sock >= 0)
		close(*sock);
	*sock = -1;
}

static void close_all(void)
{
	close_one(&accepted);
	close_one(&fd);
	close_one(&listener);
	close_one(&other);
	must(raw_given_back(raw_close(&r)), "the arena's memory");
}

/* Calls. */

static int call_device(unsigned long request, void *arg)
{
	int ret;

	fault_begin();
	ret = ioctl(r.fd, request, arg);
	fault_end();
	return result(ret);
}

static int call_register(void)
{
	return call_device(DMM_IOC_REGISTER, &r.reg);
}

static int call_enter(void)
{
	struct dmm_enter enter = { 0 };

	return call_device(DMM_IOC_ENTER, &enter);
}

static int call_address(void)
{
	struct dmm_address address = { .family = AF_INET, .len = 8, .addr = { 127 } };

	return call_device(DMM_IOC_ADDRESS, &address);
}

static int call_takeover(void)
{
	struct dmm_takeover t = { .reg.arena_fd = -1 };

	return call_device(DMM_IOC_TAKEOVER, &t);
}

static int call_open(void)
{
	fault_begin();
	other = open(DMM_DEV_PATH, O_RDWR | O_CLOEXEC);
	fault_end();
	return result(other);
}

static int call_map(void)
{
	void *m;

	fault_begin();
	m = mmap(NULL, r.reg.stack_len, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, r.reg.stack_off);
	fault_end();
	if (m == MAP_FAILED)
		return -errno;
	munmap(m, r.reg.stack_len);
	return 0;
}

static int call_connect(void)
{
	int ret;

	fault_begin();
	ret = raw_connect(fd, PORT);
	fault_end();
	return ret && errno == EINPROGRESS ? 0 : result(ret);
}

static int call_bind(void)
{
	int ret;

	fault_begin();
	ret = raw_connect(fd, PORT);
	fault_end();
	return result(ret);
}

static int call_listen(void)
{
	int ret;

	fault_begin();
	ret = listen(fd, 5);
	fault_end();
	return result(ret);
}

static int call_accept(void)
{
	fault_begin();
	accepted = accept(listener, NULL, NULL);
	fault_end();
	return result(accepted);
}

static int call_send(void)
{
	static const char buf[3000];
	int ret;

	fault_begin();
	ret = send(fd, buf, sizeof(buf), MSG_DONTWAIT);
	fault_end();
	return result(ret);
}

static int call_recv(void)
{
	char buf[10];
	int ret;

	fault_begin();
	ret = recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK);
	fault_end();
	return result(ret);
}

static int call_share(void)
{
	return request(nl, DMM_CMD_STACK_SHARE, 0, ATTRS(STR(DMM_A_STACK_STACK, "raw"), STR(DMM_A_STACK_INSTANCE, "0"),
							 U32(DMM_A_STACK_NETNS_FD, other)));
}

static int call_show(void)
{
	return request(nl, DMM_CMD_STACK_GET, 0, ATTRS(STR(DMM_A_STACK_STACK, "raw"), STR(DMM_A_STACK_INSTANCE, "0")));
}

const struct op stack_ops[] = {
	{ "the device is opened", ANYTHING, .prepare = open_instance, .run = call_open, .undo = close_all },
	{ "an instance registers", ANYTHING, .prepare = open_device, .run = call_register, .undo = close_all },
	{ "its rings are mapped", ANYTHING, .prepare = open_instance, .run = call_map, .undo = close_all },
	{ "it gets an address", ANYTHING, .prepare = open_instance, .run = call_address, .undo = close_all },
	{ "it is shown", ANYTHING, .prepare = open_instance, .run = call_show, .undo = close_all },
	{ "it is shared", ANYTHING, .prepare = open_other, .run = call_share, .undo = close_all },
	{ "it is taken over", ANYTHING, .prepare = open_connected, .run = call_takeover, .undo = close_all },
	{ "connect through a stack", ANYTHING, .prepare = open_stream, .run = call_connect, .undo = close_all },
	{ "a datagram socket of a stack", ANYTHING, .prepare = open_dgram, .run = call_bind, .undo = close_all },
	{ "listen on a stack", ANYTHING, .prepare = open_bound, .run = call_listen, .undo = close_all },
	{ "a stack brings a connection", ANYTHING, .prepare = open_incoming, .run = call_enter, .undo = close_all },
	{ "accept from a stack", ANYTHING, .once = true, .prepare = open_acceptable, .run = call_accept, .undo = close_all },
	{ "a stack pairs sockets", ANYTHING, .prepare = open_pair, .run = call_enter, .undo = close_all },
	{ "send through a stack, whose ring grows", ANYTHING, .prepare = open_connected, .run = call_send, .undo = close_all },
	{ "receive from a stack", ANYTHING, .prepare = open_readable, .run = call_recv, .undo = close_all },
	{ "send to the other end of a pair", ANYTHING, .prepare = open_paired, .run = call_send, .undo = close_all },
	{ 0 }
};
