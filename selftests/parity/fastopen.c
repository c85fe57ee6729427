// SPDX-License-Identifier: GPL-2.0-only
/* TCP Fast Open: a send that connects, and a connect that waits for a send. */
#include "parity.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/uio.h>
#include <netinet/tcp.h>

/* Client and server, data in the SYN without a cookie. */
static void enable(void)
{
	write_file("/proc/sys/net/ipv4/tcp_fastopen", "1543");	/* 0x607 */
}

static int fast_listener(void)
{
	int l = bound(server(SOCK_STREAM), 0);

	TRY(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN, &(int){ 8 }, sizeof(int)));
	MUST(listen(l, 8));
	see("TCP_FASTOPEN %d", get_int(l, IPPROTO_TCP, TCP_FASTOPEN));
	return l;
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = { };
	socklen_t len = sizeof(info);

	MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info;
}

/* Without waiting, the connection may have to be there first. */
static void send_fast(int c, const union addr *a)
{
	struct iovec iov = { "hello", 5 };
	struct msghdr m = {
		.msg_name = (void *)a, .msg_namelen = addr_len(), .msg_iov = &iov, .msg_iovlen = 1,
	};
	ssize_t n = sendmsg(c, &m, MSG_FASTOPEN);

	if (n < 0 && errno == EINPROGRESS) {
		wait_for(c, POLLOUT);
		n = send(c, "hello", 5, 0);
	}
	see_result("send", n);
}

static void see_exchange(int c, int l)
{
	int s = take(l);

	get(s, 5);
	put(s, "reply");
	get(c, 5);
	see("state %u and %u", info_of(c).tcpi_state, info_of(s).tcpi_state);
	see_name("client", c);
}

static void msg_fastopen(void)
{
	int c = client(SOCK_STREAM), l;
	union addr a;

	enable();
	l = fast_listener();
	a = local_addr(l);
	send_fast(c, &a);
	see_exchange(c, l);
	TRY(sendto(c, "x", 1, MSG_FASTOPEN, &a.sa, addr_len()));

	c = client(SOCK_STREAM);
	MUST(fcntl(c, F_SETFL, 0));
	TRY(sendto(c, "hello", 5, MSG_FASTOPEN, &a.sa, addr_len()));
	see_exchange(c, l);
	c = client(SOCK_STREAM);
	MUST(fcntl(c, F_SETFL, 0));
	TRY(sendmmsg(c, &(struct mmsghdr){ { .msg_name = &a, .msg_namelen = addr_len(),
					     .msg_iov = &(struct iovec){ "hello", 5 },
					     .msg_iovlen = 1 }, 0 }, 1, MSG_FASTOPEN));
	see_exchange(c, l);
}

/* Did the data travel in the SYN? */
static void syn_data(void)
{
	int c = client(SOCK_STREAM), l, s;
	union addr a;

	enable();
	l = fast_listener();
	a = local_addr(l);
	TRY(sendto(c, "hello", 5, MSG_FASTOPEN, &a.sa, addr_len()));
	s = take(l);
	get(s, 5);
	see("options %x and %x", info_of(c).tcpi_options, info_of(s).tcpi_options);
}

static void msg_fastopen_wrong(void)
{
	union addr a = dead_end();
	int c = client(SOCK_STREAM), l = listener();

	enable();
	signal(SIGPIPE, SIG_IGN);
	TRY(send(c, "x", 1, MSG_FASTOPEN));
	TRY(sendto(c, "x", 1, MSG_FASTOPEN, &a.sa, 3));
	TRY(sendto(c, "x", 1, MSG_FASTOPEN, NULL, addr_len()));
	TRY(sendto(c, (void *)8, 1, MSG_FASTOPEN, &a.sa, addr_len()));
	see_poll("bad buffer", c);
	c = client(SOCK_STREAM);
	TRY(sendto(c, "x", 1, MSG_FASTOPEN, &a.sa, addr_len()));
	see_poll("refused", c);
	see_error(c);
	a.sa.sa_family = AF_UNIX;
	c = client(SOCK_STREAM);
	TRY(sendto(c, "x", 1, MSG_FASTOPEN, &a.sa, addr_len()));
	a.sa.sa_family = AF_UNSPEC;
	TRY(sendto(c, "x", 1, MSG_FASTOPEN, &a.sa, addr_len()));
	a = local_addr(l);
	send_fast(c, &a);
	see_exchange(c, l);
	TRY(sendto(l, "x", 1, MSG_FASTOPEN, &a.sa, addr_len()));
}

/* The administrator has switched it off. */
static void disabled(void)
{
	int c = client(SOCK_STREAM), l = listener();
	union addr a = local_addr(l);

	write_file("/proc/sys/net/ipv4/tcp_fastopen", "0");
	TRY(sendto(c, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, &a.sa, addr_len()));
	TRY(setsockopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 }, sizeof(int)));
	see_poll("after", c);
	dial(c, l);
	echo(c, take(l));
}

/* Nothing to send: an ordinary connect. */
static void without_data(void)
{
	int c = client(SOCK_STREAM), l;
	union addr a;

	enable();
	l = fast_listener();
	a = local_addr(l);
	TRY(sendto(c, NULL, 0, MSG_FASTOPEN, &a.sa, addr_len()));
	wait_for(c, POLLOUT);
	echo(c, take(l));
}

static void fastopen_connect(void)
{
	int c = client(SOCK_STREAM), l;
	union addr a;

	enable();
	l = fast_listener();
	a = local_addr(l);
	set_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	TRY(connect(c, &a.sa, addr_len()));
	see_poll("deferred", c);
	see_name("deferred", c);
	/* A blocking socket would wait for what nobody has sent. */
	if (run.nonblock)
		TRY(connect(c, &a.sa, addr_len()));
	TRY(send(c, "hello", 5, 0));
	see_exchange(c, l);

	/* A read makes the connection, too. */
	c = client(SOCK_STREAM);
	set_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	TRY(connect(c, &a.sa, addr_len()));
	TRY(recv(c, (char[1]){ }, 1, MSG_DONTWAIT));
	see_poll("after recv", c);

	/* One that is closed before it has started. */
	c = client(SOCK_STREAM);
	set_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	TRY(connect(c, &a.sa, addr_len()));
	TRY(close(c));
}

static void fastopen_connect_refused(void)
{
	union addr a = dead_end();
	int c = client(SOCK_STREAM);

	enable();
	set_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	TRY(connect(c, &a.sa, addr_len()));
	TRY(send(c, "hello", 5, MSG_NOSIGNAL));
	wait_for(c, POLLHUP);
	see_poll("refused", c);
	see_error(c);
}

/* SYNs are kept for the application that asks. */
static void saved_syn(void)
{
	int c = client(SOCK_STREAM), l = bound(server(SOCK_STREAM), 0), s;
	unsigned char syn[128];
	socklen_t len = sizeof(syn);

	set_int(l, IPPROTO_TCP, TCP_SAVE_SYN, 1);
	MUST(listen(l, 1));
	dial(c, l);
	s = take(l);
	TRY(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, syn, &len));
	see("%u bytes, version %u", len, syn[0] >> 4);
	TRY(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, syn, &len));
	see("%u bytes", len);
}

static void defer_accept(void)
{
	int c = client(SOCK_STREAM), l = bound(server(SOCK_STREAM), 0);

	set_int(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	MUST(listen(l, 1));
	dial(c, l);
	see_poll("no data", l);
	put(c, "hello");
	see_exchange(c, l);
}

const struct scenario fastopen_scenarios[] = {
	{ "fastopen.msg_fastopen", msg_fastopen, 0 },
	{ "fastopen.syn_data", syn_data, ONE_MODE },
	{ "fastopen.msg_fastopen_wrong", msg_fastopen_wrong, ONE_MODE },
	{ "fastopen.disabled", disabled, 0 },
	{ "fastopen.without_data", without_data, 0 },
	{ "fastopen.connect", fastopen_connect, 0 },
	{ "fastopen.connect_refused", fastopen_connect_refused, 0 },
	{ "fastopen.saved_syn", saved_syn, ONE_MODE },
	{ "fastopen.defer_accept", defer_accept, ONE_MODE },
	{ }
};
