// SPDX-License-Identifier: GPL-2.0-only
#include "parity.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/un.h>

struct trace *trace;

static void append(const char *fmt, va_list ap)
{
	size_t room = sizeof(trace->text) - trace->len;
	int n = vsnprintf(trace->text + trace->len, room, fmt, ap);

	if ((size_t)n + 1 >= room)
		abort();
	trace->len += n;
	trace->text[trace->len++] = '\n';
	trace->text[trace->len] = 0;
}

void see(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(fmt, ap);
	va_end(ap);
}

long see_result(const char *call, long ret)
{
	int err = errno;

	if (ret < 0)
		see("%s = %s", call, strerrorname_np(err) ?: "unknown errno");
	else
		see("%s = %ld", call, ret);
	errno = err;
	return ret;
}

void check_failed(const char *file, int line, const char *cond)
{
	trace->failed = true;
	see("%s:%d: does not hold: %s", file, line, cond);
}

void give_up(const char *file, int line, const char *what)
{
	trace->failed = true;
	see("%s:%d: %s: %s", file, line, what, strerror(errno));
	_exit(1);
}

void skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace->skip, sizeof(trace->skip), fmt, ap);
	va_end(ap);
	_exit(0);
}

/* Long data by its start, its length and a checksum (FNV-1a). */
void see_bytes(const char *what, const void *buf, ssize_t len)
{
	const unsigned char *p = buf;
	char text[4 * 48 + 1] = "";
	uint32_t sum = 2166136261;
	ssize_t i;

	for (i = 0; i < len; i++) {
		if (i < 48)
			sprintf(text + strlen(text), p[i] > ' ' && p[i] < 127 ? "%c" : "\\%02x", p[i]);
		sum = (sum ^ p[i]) * 16777619;
	}
	if (len > 48)
		see("%s: %s... %zd bytes, %08x", what, text, len, sum);
	else
		see("%s: %s", what, text);
}

/* The names that poll's and epoll's bits have in common. */
const char *show_events(uint32_t events)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ POLLIN, "IN" }, { POLLPRI, "PRI" }, { POLLOUT, "OUT" }, { POLLERR, "ERR" },
		{ POLLHUP, "HUP" }, { POLLNVAL, "NVAL" }, { POLLRDNORM, "RDNORM" },
		{ POLLRDBAND, "RDBAND" }, { POLLWRNORM, "WRNORM" }, { POLLWRBAND, "WRBAND" },
		{ POLLMSG, "MSG" }, { POLLRDHUP, "RDHUP" },
	};
	static char text[128];
	char *p = text;
	size_t i;

	p += sprintf(p, "(");
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (events & names[i].bit)
			p += sprintf(p, " %s", names[i].name);
	sprintf(p, " )");
	return text;
}

/* What poll() and select() say now. */
void see_poll(const char *when, int fd)
{
	struct pollfd p = { .fd = fd, .events = 0x27df };
	struct timeval now = { 0 };
	fd_set r, w, x;

	poll(&p, 1, 0);
	FD_ZERO(&r);
	FD_SET(fd, &r);
	w = x = r;
	MUST(select(fd + 1, &r, &w, &x, &now));
	see("%s: poll %s select%s%s%s", when, show_events(p.revents),
	    FD_ISSET(fd, &r) ? " read" : "", FD_ISSET(fd, &w) ? " write" : "",
	    FD_ISSET(fd, &x) ? " except" : "");
}

static struct {
	int seen[64], n;
} ports;

void forget_ports(void)
{
	ports.n = 0;
}

/* Ports differ from run to run: the first one that is shown is "port 1". */
const char *show_port(int port)
{
	static char text[4][16];
	static int slot;
	int i;

	slot = (slot + 1) % 4;
	if (!port)
		return "port 0";
	for (i = 0; i < ports.n && ports.seen[i] != port; i++)
		;
	if (i == ports.n) {
		if (ports.n == ARRAY_SIZE(ports.seen))
			abort();
		ports.seen[ports.n++] = port;
	}
	sprintf(text[slot], "port %d", i + 1);
	return text[slot];
}

const char *show_addr(const void *sa, socklen_t len)
{
	const union addr *a = sa;
	static char text[4][128];
	static int slot;
	char host[INET6_ADDRSTRLEN];
	char *out = text[slot = (slot + 1) % 4];

	if (len < sizeof(sa_family_t))
		sprintf(out, "%u bytes", len);
	else if (a->sa.sa_family == AF_INET && len >= sizeof(a->v4))
		sprintf(out, "inet %s %s (%u)", inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof(host)),
			show_port(ntohs(a->v4.sin_port)), len);
	else if (a->sa.sa_family == AF_INET6 && len >= sizeof(a->v6))
		sprintf(out, "inet6 %s %s flow %u scope %u (%u)",
			inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof(host)),
			show_port(ntohs(a->v6.sin6_port)), ntohl(a->v6.sin6_flowinfo),
			a->v6.sin6_scope_id, len);
	else
		sprintf(out, "family %u (%u)", a->sa.sa_family, len);
	return out;
}

static void see_one_name(const char *what, const char *end, int fd,
			 int (*fn)(int, struct sockaddr *, socklen_t *))
{
	union addr a;
	socklen_t len = sizeof(a);

	if (fn(fd, &a.sa, &len))
		see("%s: %s %s", what, end, strerrorname_np(errno));
	else
		see("%s: %s %s", what, end, show_addr(&a, len));
}

void see_name(const char *what, int fd)
{
	see_one_name(what, "local", fd, getsockname);
	see_one_name(what, "peer", fd, getpeername);
}

void see_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	see("SO_ERROR %s", err ? strerrorname_np(err) : "0");
}
