// SPDX-License-Identifier: GPL-2.0-only
/* What others see of the sockets: /proc/net and sock_diag, where ss and netstat look. */
#include "parity.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

static unsigned long inode(int fd)
{
	struct stat st;

	MUST(fstat(fd, &st));
	return st.st_ino;
}

/* The socket's line in /proc/net/NAME, without what differs. */
static void see_proc(const char *what, int fd, const char *name)
{
	char path[64], line[512], state[8] = "", queues[32] = "";
	unsigned long ino;
	unsigned int uid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/net/%s%s", name, run.family == AF_INET6 ? "6" : "");
	f = fopen(path, "r");
	if (!f)
		give_up(__FILE__, __LINE__, path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %*s %*s %*s %7s %31s %*s %*s %u %*s %lu", state, queues, &uid,
			   &ino) == 4 && ino == inode(fd)) {
			see("%s: %s: state %s queues %s uid %u", what, name, state, queues, uid);
			fclose(f);
			return;
		}
	}
	see("%s: not in %s", what, name);
	fclose(f);
}

static void see_diag_entry(const struct inet_diag_msg *m)
{
	see("diag: family %u state %u timer %u local %s remote %s rqueue %u wqueue %u uid %u if %u",
	    m->idiag_family, m->idiag_state, m->idiag_timer, show_port(ntohs(m->id.idiag_sport)),
	    show_port(ntohs(m->id.idiag_dport)), m->idiag_rqueue, m->idiag_wqueue, m->idiag_uid,
	    m->id.idiag_if);
}

/* Is a socket among those that sock_diag lists? */
static void see_diag(const char *what, int fd, int protocol)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} req = {
		.h = { sizeof(req), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 },
		.r = { .sdiag_family = run.family, .sdiag_protocol = protocol, .idiag_states = -1 },
	};
	static char buf[32768] __attribute__((aligned(8)));
	int nl = MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG));
	bool found = false, done = false;

	MUST(send(nl, &req, sizeof(req), 0));
	while (!done) {
		size_t n = MUST(recv(nl, buf, sizeof(buf), 0));
		struct nlmsghdr *h;

		for (h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			const struct inet_diag_msg *m = NLMSG_DATA(h);

			done |= h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			if (h->nlmsg_type == NLMSG_ERROR)
				see("diag: error %d", ((struct nlmsgerr *)NLMSG_DATA(h))->error);
			if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && m->idiag_inode == inode(fd)) {
				found = true;
				see_diag_entry(m);
			}
		}
	}
	see("%s: %s in sock_diag", what, found ? "is" : "is not");
	close(nl);
}

static void see_both(const char *what, int fd)
{
	see_proc(what, fd, "tcp");
	see_diag(what, fd, IPPROTO_TCP);
}

static void stream(void)
{
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM), s;

	see_both("fresh", c);
	bound(l, 0);
	see_both("bound", l);
	MUST(listen(l, 7));
	see_both("listening", l);
	dial(c, l);
	wait_for(l, POLLIN);
	see_both("waiting", l);
	see_both("connected", c);
	s = take(l);
	see_both("accepted", s);
	put(c, "data");
	wait_bytes(s, 4);
	see_both("data", s);
}

static void dgram(void)
{
	int c = client(SOCK_DGRAM), s = bound(server(SOCK_DGRAM), 0);
	union addr a = local_addr(s);

	see_proc("fresh", c, "udp");
	see_proc("bound", s, "udp");
	MUST(connect(c, &a.sa, addr_len()));
	put(c, "data");
	wait_for(s, POLLIN);
	see_proc("connected", c, "udp");
	see_diag("connected", c, IPPROTO_UDP);
	see_diag("bound", s, IPPROTO_UDP);
}

/* ss -K ends sockets from outside: those that are not decided, too. */
static void destroy(int fd, uint8_t protocol)
{
	union addr a = local_addr(fd), peer = { 0 };
	socklen_t len = sizeof(peer);
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} req = {
		.h = { sizeof(req), 21 /* SOCK_DESTROY */, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		.r = { .sdiag_family = run.family, .sdiag_protocol = protocol, .idiag_states = -1,
		       .id = { .idiag_sport = a.v4.sin_port,
			       .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
	};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} ack = { };
	int nl = MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG));

	getpeername(fd, &peer.sa, &len);
	req.r.id.idiag_dport = peer.v4.sin_port;
	if (run.family == AF_INET) {
		req.r.id.idiag_src[0] = a.v4.sin_addr.s_addr;
		req.r.id.idiag_dst[0] = peer.v4.sin_addr.s_addr;
	} else {
		memcpy(req.r.id.idiag_src, &a.v6.sin6_addr, 16);
		memcpy(req.r.id.idiag_dst, &peer.v6.sin6_addr, 16);
	}
	MUST(send(nl, &req, sizeof(req), 0));
	MUST(recv(nl, &ack, sizeof(ack), 0));
	see("destroy: %s", ack.e.error ? strerrorname_np(-ack.e.error) : "0");
	close(nl);
}

static void destroyed(void)
{
	struct pair p = pair();
	int u;

	destroy(p.c, IPPROTO_TCP);
	see_poll("connection", p.c);
	see_error(p.c);
	destroy(p.l, IPPROTO_TCP);
	see_poll("listener", p.l);
	TRY(accept(p.l, NULL, NULL));
	see("listening %d", get_int(p.l, SOL_SOCKET, SO_ACCEPTCONN));
	TRY(connect(p.c, &(struct sockaddr){ AF_UNSPEC, "" }, sizeof(struct sockaddr)));
	dial(p.c, listener());
	u = bound(server(SOCK_STREAM), 0);
	destroy(u, IPPROTO_TCP);
	TRY(listen(u, 1));
}

const struct scenario visible_scenarios[] = {
	{ "visible.stream", stream, ONE_MODE },
	{ "visible.dgram", dgram, DGRAM | ONE_MODE },
	{ "visible.destroyed", destroyed, 0 },
	{ }
};
