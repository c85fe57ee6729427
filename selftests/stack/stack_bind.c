// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_bind: bind() to an address that a stack has and the kernel has not, without ip_nonlocal_bind: for sockets that a rule
 * may send to that stack, and for no others.
 */
#include "kselftest.h"
#include "raw.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dmm.h>

#define ARENA	(256u << 10)
#define PORT	7500

static struct raw r;

/* Of DMM, or of the kernel; for the family of the address. */
static int make(bool dmm, const union raw_address *a, int type)
{
	if (!dmm)
		return socket(a->sa.sa_family, type, 0);
	return socket(raw_af(), type, a->sa.sa_family == AF_INET6 ? DMM_PROTO_INET6 : DMM_PROTO_INET);
}

static int result(int ret)
{
	return ret ? errno : 0;
}

/* A socket of its own binds: what that comes to. */
static int bind_to(bool dmm, const char *text, int type, unsigned int port)
{
	union raw_address a = raw_address(text, port);
	int fd = make(dmm, &a, type), ret;

	ret = result(bind(fd, &a.sa, sizeof(a)));
	close(fd);
	return ret;
}

static void tell(const char *text, bool add)
{
	union raw_address a = raw_address(text, 0);
	struct dmm_address addr = { .flags = add ? 0 : DMM_ADDRESS_DEL, .family = a.sa.sa_family };

	addr.len = addr.family == AF_INET ? 32 : 128;
	memcpy(addr.addr, addr.family == AF_INET ? (void *)&a.in.sin_addr : &a.in6.sin6_addr, addr.len / 8);
	if (ioctl(r.fd, DMM_IOC_ADDRESS, &addr))
		ksft_note("DMM_IOC_ADDRESS: %s", strerror(errno));
}

static bool closed(void)
{
	struct dmm_event ev;

	return raw_expect(&r, DMM_EV_CLOSE, &ev) &&
	       !raw_tell(&r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
}

/* The local end that the stack hears of. */
static bool is_local(const struct dmm_event *ev, const union raw_address *a)
{
	if (a->sa.sa_family == AF_INET6)
		return !memcmp(ev->open.local, &a->in6.sin6_addr, 16) && ev->open.lport == a->in6.sin6_port;
	return !memcmp(ev->open.local + 12, &a->in.sin_addr, 4) && ev->open.lport == a->in.sin_port;
}

/* The socket is as if the address were the kernel's. */
static bool looks_bound(int fd, const union raw_address *a)
{
	union raw_address name = { 0 };
	socklen_t len = sizeof(name), four = sizeof(int);
	int freebind = -1;

	getsockname(fd, &name.sa, &len);
	getsockopt(fd, SOL_IP, IP_FREEBIND, &freebind, &four);
	return !freebind && name.sa.sa_family == a->sa.sa_family && name.in.sin_port == a->in.sin_port &&
	       (a->sa.sa_family == AF_INET ? !memcmp(&name.in.sin_addr, &a->in.sin_addr, 4) :
					     !memcmp(&name.in6.sin6_addr, &a->in6.sin6_addr, 16));
}

static bool listens(const char *text)
{
	union raw_address a = raw_address(text, PORT);
	int fd = make(true, &a, SOCK_STREAM);
	struct dmm_event ev;
	bool ok;

	ok = !bind(fd, &a.sa, sizeof(a)) && looks_bound(fd, &a);
	ok = ok && bind_to(true, text, SOCK_STREAM, PORT) == EADDRINUSE;
	ok = ok && !listen(fd, 5) && raw_expect(&r, DMM_EV_LISTEN, &ev) && is_local(&ev, &a) && !raw_answer(&r, &ev);
	close(fd);
	return ok && closed();
}

static bool connects(const char *from, const char *to)
{
	union raw_address a = raw_address(from, PORT), b = raw_address(to, PORT);
	int fd = make(true, &a, SOCK_STREAM);
	struct dmm_event ev;
	bool ok;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	ok = !bind(fd, &a.sa, sizeof(a));
	ok = ok && connect(fd, &b.sa, sizeof(b)) && errno == EINPROGRESS;
	ok = ok && raw_expect(&r, DMM_EV_CONNECT, &ev) && is_local(&ev, &a) && !raw_answer(&r, &ev);
	close(fd);
	return ok && closed();
}

/* bind() of a datagram socket waits for the stack's answer. */
static bool receives(const char *text)
{
	union raw_address a = raw_address(text, PORT);
	struct dmm_event ev;
	int status = -1;
	pid_t pid;
	bool ok;

	pid = fork();
	if (!pid) {
		int fd = make(true, &a, SOCK_DGRAM);

		_exit(bind(fd, &a.sa, sizeof(a)) || !looks_bound(fd, &a));
	}
	ok = raw_expect(&r, DMM_EV_BIND, &ev) && is_local(&ev, &a) && !raw_answer(&r, &ev);
	waitpid(pid, &status, 0);
	return ok && !status && closed();
}

static bool refused_everywhere(const char *text)
{
	return bind_to(true, text, SOCK_STREAM, PORT) == EADDRNOTAVAIL &&
	       bind_to(true, text, SOCK_STREAM, 0) == EADDRNOTAVAIL &&
	       bind_to(true, text, SOCK_DGRAM, PORT) == EADDRNOTAVAIL;
}

/* What the application has set stays. */
static bool keeps_option(void)
{
	union raw_address a = raw_address("10.77.0.9", PORT);
	int fd = make(true, &a, SOCK_STREAM), on = 1;
	socklen_t len = sizeof(on);
	bool ok;

	setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on));
	ok = !bind(fd, &a.sa, sizeof(a));
	getsockopt(fd, SOL_IP, IP_FREEBIND, &on, &len);
	close(fd);
	return ok && on == 1;
}

static bool mapped(void)
{
	union raw_address a = raw_address("::ffff:10.77.0.2", PORT);
	int fd = make(true, &a, SOCK_STREAM), only = make(true, &a, SOCK_STREAM);
	bool ok;

	setsockopt(only, SOL_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int));
	ok = !bind(fd, &a.sa, sizeof(a)) && bind(only, &a.sa, sizeof(a));
	close(fd);
	close(only);
	return ok;
}

static void with_rules(void)
{
	ksft_result(listens("10.77.0.2"), "a listener");
	ksft_result(listens("fd77::2"), "by IPv6");
	ksft_result(connects("10.77.0.2", "10.77.0.1"), "from there to somewhere");
	ksft_result(connects("fd77::2", "fd77::1"), "by IPv6");
	ksft_result(receives("10.77.0.2"), "datagrams");
	ksft_result(receives("fd77::2"), "by IPv6");
	ksft_result(mapped(), "IPv4 on a socket of both families, and not where it is only of IPv6");
	ksft_result(refused_everywhere("10.77.0.3") && refused_everywhere("fd77::3"), "an address that nobody has");
	ksft_result(bind_to(false, "10.77.0.2", SOCK_STREAM, PORT) == EADDRNOTAVAIL, "a socket of the kernel");
	ksft_result(keeps_option(), "IP_FREEBIND of the application stays");
}

int main(void)
{
	struct dmm_register reg = raw_register("raw", ARENA, 32);

	raw_begin();
	ksft_plan(16);
	ksft_result(refused_everywhere("10.77.0.2"), "without any stack");
	if (raw_open(&r, &reg))
		return KSFT_FAIL;
	raw_run("dmmpolicy rule add prio 9 stack raw");
	ksft_result(refused_everywhere("10.77.0.2"), "a stack without addresses has none");
	tell("10.77.0.2", true);
	tell("fd77::2", true);
	with_rules();
	raw_run("dmmpolicy rule add prio 5 tcp stack kernel && dmmpolicy rule del prio 9 && dmmpolicy rule add prio 9 connect udp stack raw");
	ksft_result(bind_to(true, "10.77.0.2", SOCK_STREAM, PORT) == EADDRNOTAVAIL, "where no rule sends it there");
	ksft_result(!bind_to(true, "10.77.0.2", SOCK_DGRAM, 0), "what may only connect from there");
	tell("10.77.0.2", false);
	ksft_result(refused_everywhere("10.77.0.2"), "an address that it has no longer");
	ksft_result(raw_given_back(raw_close(&r)) && raw_unused(), "nothing is left");
	ksft_finish();
}
