// SPDX-License-Identifier: GPL-2.0-only
/* Real sockets for policy-cases. */
#include "cases.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS	10000
#define CGROUPS		"/sys/fs/cgroup"

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static struct outcome out;

/* Used in the child only. */
static void __attribute__((noreturn)) fail(const char *what)
{
	snprintf(out.failed, sizeof(out.failed), "%s: %s", what, strerror(errno));
	if (write(STDOUT_FILENO, &out, sizeof(out)) != sizeof(out))
		_exit(1);
	_exit(0);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return written;
}

/*
 *	lo   127.0.0.0/8, ::1; 10.9.0.0/16 and fd09::/16 are local, too: for connections that arrive;
 *	     so is 10.10.0.0/16, which insists on its congestion control
 *	d0   10.255.255.1, fd00:ffff::1, and the default routes; nothing answers there
 */
static const char topology[] =
	"link set lo up\n"
	"link add d0 type veth peer name d1\n"
	"link set d0 up\n"
	"link set d1 up\n"
	"addr add 10.255.255.1/32 dev d0\n"
	"addr add fd00:ffff::1/128 dev d0 nodad\n"
	"route add default dev d0 src 10.255.255.1\n"
	"route add ::/0 dev d0\n"
	"route add local 10.9.0.0/16 dev lo\n"
	"route add local 10.10.0.0/16 dev lo congctl lock reno\n"
	"route add local fd09::/16 dev lo\n";

bool socket_namespace(void)
{
	FILE *ip;

	if (unshare(CLONE_NEWNET))
		return false;
	ip = popen("ip -batch -", "w");
	if (!ip)
		return false;
	fputs(topology, ip);
	return !pclose(ip) && write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}

/* Cgroups are made when they are needed, so a rule may be older than its cgroup. */
static void join_cgroup(const char *path)
{
	char file[512], *slash;

	snprintf(file, sizeof(file), CGROUPS "%s", path);
	for (slash = file + sizeof(CGROUPS); (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(file, 0755);
	}
	mkdir(file, 0755);
	strcat(file, "/cgroup.procs");
	if (!write_file(file, "0"))
		fail("cgroup");
}

/* Leave it, and it can go. */
static void remove_cgroup(const char *path)
{
	char dir[512];
	char *slash;

	snprintf(dir, sizeof(dir), CGROUPS "%s", path);
	while ((slash = strrchr(dir, '/')) > dir + sizeof(CGROUPS) - 2 && !rmdir(dir))
		*slash = '\0';
}

static void become(const struct dmm_explain *e)
{
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_CGROUP))
		join_cgroup(e->cgroup);
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_COMM))
		prctl(PR_SET_NAME, e->comm);
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_GID))
		setfsgid(e->gid);
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_UID))
		setfsuid(e->uid);
}

static void set_int(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		fail(what);
}

static int get_int(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	getsockopt(fd, level, name, &value, &len);
	return value;
}

static void mapped_addr(union addr *to, const struct dmm_prefix *p)
{
	to->v6.sin6_addr.s6_addr[10] = to->v6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&to->v6.sin6_addr.s6_addr[12], p->addr, 4);
}

/* An end of the flow, as its socket says it; returns the length. */
static socklen_t end_of(const struct flow *f, const struct dmm_prefix *p, bool given, uint16_t port, union addr *to)
{
	memset(to, 0, sizeof(*to));
	if (f->e.family == AF_INET && !f->mapped) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(port);
		if (given)
			memcpy(&to->v4.sin_addr, p->addr, 4);
		return sizeof(to->v4);
	}
	to->v6.sin6_family = AF_INET6;
	to->v6.sin6_port = htons(port);
	if (given && f->mapped)
		mapped_addr(to, p);
	else if (given)
		memcpy(&to->v6.sin6_addr, p->addr, 16);
	return sizeof(to->v6);
}

static socklen_t local_end(const struct flow *f, union addr *to)
{
	return end_of(f, &f->e.src, f->e.has & DMM_HAS(DMM_A_EXPLAIN_SRC), f->e.sport, to);
}

static socklen_t remote_end(const struct flow *f, union addr *to)
{
	return end_of(f, &f->e.dst, f->e.has & DMM_HAS(DMM_A_EXPLAIN_DST), f->e.dport, to);
}

static void set_keys(int fd, const struct flow *f)
{
	const struct dmm_explain *e = &f->e;

	if (e->has & DMM_HAS(DMM_A_EXPLAIN_MARK))
		set_int(fd, SOL_SOCKET, SO_MARK, e->mark, "SO_MARK");
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_DSCP)) {
		if (e->family == AF_INET)
			set_int(fd, SOL_IP, IP_TOS, e->dscp << 2, "IP_TOS");
		else
			set_int(fd, SOL_IPV6, IPV6_TCLASS, e->dscp << 2, "IPV6_TCLASS");
	}
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_DEV) &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, e->dev, strlen(e->dev)))
		fail("SO_BINDTODEVICE");
	if (e->has & DMM_HAS(DMM_A_EXPLAIN_WANT) && setsockopt(fd, SOL_DMM, DMM_STACK, e->want, strlen(e->want)))
		fail("DMM_STACK");
}

/* It may have addresses that are not ours. */
static void set_transparent(int fd, bool v6)
{
	set_int(fd, SOL_IP, IP_TRANSPARENT, 1, "IP_TRANSPARENT");
	if (v6)
		set_int(fd, SOL_IPV6, IPV6_TRANSPARENT, 1, "IPV6_TRANSPARENT");
}

static int make_socket(const struct flow *f)
{
	bool v6 = f->e.family == AF_INET6 || f->mapped;
	int fd = socket(dmm_af(), f->e.type | SOCK_NONBLOCK, v6 ? DMM_PROTO_INET6 : DMM_PROTO_INET);

	if (fd < 0)
		fail("socket");
	set_transparent(fd, v6);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	set_keys(fd, f);
	return fd;
}

static void look(int fd, const struct flow *f)
{
	socklen_t len = sizeof(out.cc) - 1;
	unsigned long long cookie = 0;
	socklen_t cookie_len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &cookie_len);
	out.cookie = cookie;
	out.mark = get_int(fd, SOL_SOCKET, SO_MARK);
	if (f->e.family == AF_INET)
		out.tos = get_int(fd, SOL_IP, IP_TOS);
	else
		out.tos = get_int(fd, SOL_IPV6, IPV6_TCLASS);
	if (f->e.type != SOCK_STREAM)
		return;
	out.keepalive = get_int(fd, SOL_SOCKET, SO_KEEPALIVE);
	out.keepidle = get_int(fd, SOL_TCP, TCP_KEEPIDLE);
	out.keepintvl = get_int(fd, SOL_TCP, TCP_KEEPINTVL);
	out.keepcnt = get_int(fd, SOL_TCP, TCP_KEEPCNT);
	getsockopt(fd, SOL_TCP, TCP_CONGESTION, out.cc, &len);
}

static void try_connect(const struct flow *f)
{
	int fd = make_socket(f);
	socklen_t len;
	union addr a;

	len = local_end(f, &a);
	if ((f->e.has & (DMM_HAS(DMM_A_EXPLAIN_SRC) | DMM_HAS(DMM_A_EXPLAIN_SPORT))) && bind(fd, &a.sa, len))
		fail("bind");
	len = remote_end(f, &a);
	if (connect(fd, &a.sa, len) && errno != EINPROGRESS)
		out.err = errno;
	look(fd, f);
}

/* For UDP the bind is what is decided. */
static int try_listen(const struct flow *f)
{
	int fd = make_socket(f);
	socklen_t len;
	union addr a;

	len = local_end(f, &a);
	if (f->e.type == SOCK_DGRAM) {
		if (bind(fd, &a.sa, len))
			out.err = errno;
	} else {
		if (bind(fd, &a.sa, len))
			fail("bind");
		if (listen(fd, 8))
			out.err = errno;
	}
	look(fd, f);
	return fd;
}

static bool wait_for(int fd, int events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, PATIENCE_MS) == 1;
}

/* A plain socket that comes from the remote end. */
static int call(const struct flow *f)
{
	struct linger reset = { .l_onoff = 1 };
	socklen_t len;
	union addr a;
	int fd;

	len = remote_end(f, &a);
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_transparent(fd, a.sa.sa_family == AF_INET6);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	/* Leave no TIME_WAIT in the way of the next one. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (bind(fd, &a.sa, len))
		fail("bind of the caller");
	len = local_end(f, &a);
	if (connect(fd, &a.sa, len) && errno != EINPROGRESS)
		fail("connect of the caller");
	if (!wait_for(fd, POLLOUT) || get_int(fd, SOL_SOCKET, SO_ERROR))
		fail("connection of the caller");
	return fd;
}

static void try_accept(const struct flow *f)
{
	int listener = try_listen(f), caller, fd;

	if (out.err)
		return;
	memset(&out, 0, sizeof(out));
	caller = call(f);
	if (!wait_for(listener, POLLIN))
		fail("wait");
	fd = accept(listener, NULL, NULL);
	if (fd >= 0) {
		look(fd, f);
		return;
	}
	if (errno != EAGAIN)
		fail("accept");
	if (!wait_for(caller, POLLIN) || get_int(caller, SOL_SOCKET, SO_ERROR) != ECONNRESET)
		fail("a connection that was refused");
	out.err = EACCES;
}

static void __attribute__((noreturn)) child(const struct flow *f)
{
	become(&f->e);
	if (f->accepted)
		try_accept(f);
	else if (f->e.role == DMM_ROLE_LISTEN)
		try_listen(f);
	else
		try_connect(f);
	if (write(STDOUT_FILENO, &out, sizeof(out)) != sizeof(out))
		_exit(1);
	_exit(0);
}

void socket_try(const struct flow *f, struct outcome *o)
{
	int fds[2], status;
	pid_t pid;

	memset(o, 0, sizeof(*o));
	strcpy(o->failed, "no answer");
	if (pipe(fds))
		return;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		child(f);
	}
	close(fds[1]);
	waitpid(pid, &status, 0);
	if (read(fds[0], o, sizeof(*o)) != sizeof(*o) || status)
		strcpy(o->failed, "the process died");
	close(fds[0]);
	if (f->e.has & DMM_HAS(DMM_A_EXPLAIN_CGROUP))
		remove_cgroup(f->e.cgroup);
}
