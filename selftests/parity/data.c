// SPDX-License-Identifier: GPL-2.0-only
/* Sending and receiving on streams: every call, every flag. */
#include "parity.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif

/* What one recv() with these flags returns. */
static void see_recv(const char *what, int fd, size_t len, int flags)
{
	char buf[256] = "";
	struct iovec iov = { buf, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(fd, &m, flags);

	if (n < 0)
		see("%s: %s", what, strerrorname_np(errno));
	else {
		see("%s: %zd flags %x", what, n, m.msg_flags);
		see_bytes(what, buf, n < (ssize_t)len ? n : (ssize_t)len);
	}
}

/* Every data call on a socket that is not connected. */
static void unconnected_calls(int fd)
{
	struct mmsghdr mm = { };
	char buf[8] = "";
	struct iovec iov = { buf, sizeof(buf) };
	int fds[2];

	mm.msg_hdr.msg_iov = &iov;
	mm.msg_hdr.msg_iovlen = 1;
	TRY(send(fd, buf, 1, MSG_NOSIGNAL));
	TRY(send(fd, buf, 0, MSG_NOSIGNAL));
	TRY(send(fd, buf, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
	TRY(send(fd, buf, 1, MSG_NOSIGNAL | MSG_OOB));
	TRY(write(fd, buf, 1));
	TRY(writev(fd, &iov, 1));
	TRY(sendmsg(fd, &mm.msg_hdr, MSG_NOSIGNAL));
	TRY(sendmmsg(fd, &mm, 1, MSG_NOSIGNAL));
	TRY(recv(fd, buf, 1, 0));
	TRY(recv(fd, buf, 0, 0));
	TRY(recv(fd, buf, 1, MSG_OOB));
	TRY(recv(fd, buf, 1, MSG_PEEK));
	TRY(recv(fd, buf, 1, MSG_ERRQUEUE));
	TRY(read(fd, buf, 1));
	TRY(readv(fd, &iov, 1));
	TRY(recvmsg(fd, &mm.msg_hdr, 0));
	TRY(recvmmsg(fd, &mm, 1, 0, NULL));
	MUST(pipe(fds));
	TRY(splice(fd, NULL, fds[1], NULL, 1, SPLICE_F_NONBLOCK));
	MUST(write(fds[1], "x", 1));
	TRY(splice(fds[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK));
	close(fds[0]);
	close(fds[1]);
	fds[0] = MUST(memfd_create("data", 0));
	MUST(write(fds[0], "data", 4));
	TRY(sendfile(fd, fds[0], &(off_t){ 0 }, 4));
	TRY(sendfile(fd, fd, NULL, 4));
	close(fds[0]);
	see_poll("after", fd);
}

static void unconnected(void)
{
	union addr a = dead_end();
	int c = client(SOCK_STREAM), s = server(SOCK_STREAM);

	signal(SIGPIPE, SIG_IGN);
	unconnected_calls(c);
	bound(s, 0);
	unconnected_calls(s);
	/* An address in sendto() does not connect a stream. */
	TRY(sendto(c, "x", 1, MSG_NOSIGNAL, &a.sa, addr_len()));
	see_name("after sendto", c);
	/* None of this decided anything: they still work. */
	MUST(listen(s, 1));
	dial(c, s);
	echo(c, take(s));
}

/* Not refused without consequence: the socket remembers which half is shut. */
static void unconnected_shutdown(void)
{
	static const int how[] = { SHUT_RD, SHUT_WR, SHUT_RDWR, 3 };
	int l = listener();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(how); i++) {
		int c = client(SOCK_STREAM), s;

		TRY(shutdown(c, how[i]));
		see_poll("shut", c);
		dial(c, l);
		s = take(l);
		TRY(send(c, "x", 1, MSG_NOSIGNAL));
		TRY(recv(c, (char[1]){ }, 1, MSG_DONTWAIT));
		see_poll("connected", c);
		close(s);
	}
}

static void flags(void)
{
	struct pair p = pair();
	char buf[16];

	put(p.c, "abcdefgh");
	wait_bytes(p.s, 8);
	see_recv("peek", p.s, 4, MSG_PEEK);
	see_recv("peek all", p.s, 99, MSG_PEEK);
	see_recv("truncate", p.s, 2, MSG_TRUNC);
	see_recv("wait all", p.s, 4, MSG_WAITALL);
	see_recv("wait all there is", p.s, 99, MSG_WAITALL | MSG_DONTWAIT);
	see_recv("none", p.s, 4, MSG_DONTWAIT);
	see_recv("peek none", p.s, 4, MSG_DONTWAIT | MSG_PEEK);
	see_recv("error queue", p.s, 4, MSG_ERRQUEUE);
	see_recv("out of band", p.s, 4, MSG_OOB);
	TRY(recv(p.s, buf, 0, MSG_DONTWAIT));
	TRY(send(p.c, buf, 0, 0));
	TRY(send(p.c, (void *)8, 4, 0));
	put(p.c, "ij");
	wait_bytes(p.s, 2);
	TRY(recv(p.s, (void *)8, 4, 0));
	TRY(recv(p.s, buf, 1, MSG_EOR | MSG_CMSG_CLOEXEC));
	TRY(recv(p.s, buf, 1, MSG_CONFIRM));
	TRY(send(p.c, "kl", 2, MSG_MORE));
	TRY(send(p.c, "mn", 2, MSG_EOR));
	wait_bytes(p.s, 4);
	see_recv("corked", p.s, 99, 0);
	MUST(shutdown(p.c, SHUT_WR));
	wait_for(p.s, POLLIN);
	see_recv("end", p.s, 4, MSG_WAITALL);
	see_recv("end", p.s, 4, MSG_PEEK);
	TRY(send(p.c, "x", 1, MSG_NOSIGNAL));
}

static void many(void)
{
	struct pair p = pair();
	struct mmsghdr mm[4] = { };
	struct iovec iov[8];
	char in[4][8] = { };
	struct timespec later = { .tv_sec = 10 };
	int i, n;

	for (i = 0; i < 4; i++) {
		iov[2 * i] = (struct iovec){ "ab", 2 };
		iov[2 * i + 1] = (struct iovec){ "cde", i };
		mm[i].msg_hdr.msg_iov = &iov[2 * i];
		mm[i].msg_hdr.msg_iovlen = 2;
	}
	TRY(sendmmsg(p.c, mm, 4, 0));
	for (i = 0; i < 4; i++)
		see("sent %u", mm[i].msg_len);
	wait_bytes(p.s, 14);
	for (i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ in[i], 5 };
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	n = TRY(recvmmsg(p.s, mm, 4, MSG_DONTWAIT, &later));
	for (i = 0; i < n; i++)
		see_bytes("message", in[i], mm[i].msg_len);
	TRY(recvmmsg(p.s, mm, 4, MSG_WAITFORONE | MSG_DONTWAIT, NULL));
	TRY(sendmmsg(p.c, NULL, 0, 0));
	TRY(sendmmsg(p.c, (void *)8, 1, 0));
}

static void urgent(void)
{
	struct pair p = pair();

	TRY(send(p.c, "ab!", 3, MSG_OOB));
	wait_for(p.s, POLLPRI);
	see_poll("urgent", p.s);
	see("at mark %d", ({ int m; MUST(ioctl(p.s, SIOCATMARK, &m)); m; }));
	see_recv("in band", p.s, 99, 0);
	see("at mark %d", ({ int m; MUST(ioctl(p.s, SIOCATMARK, &m)); m; }));
	see_recv("peek urgent", p.s, 99, MSG_OOB | MSG_PEEK);
	see_recv("urgent", p.s, 99, MSG_OOB);
	see_recv("urgent again", p.s, 99, MSG_OOB);
	see_poll("read", p.s);

	set_int(p.s, SOL_SOCKET, SO_OOBINLINE, 1);
	TRY(send(p.c, "cd!", 3, MSG_OOB));
	put(p.c, "ef");
	wait_bytes(p.s, 2);
	see_poll("inline", p.s);
	see_recv("up to the mark", p.s, 99, 0);
	see("at mark %d", ({ int m; MUST(ioctl(p.s, SIOCATMARK, &m)); m; }));
	see_recv("urgent", p.s, 99, MSG_OOB);
	wait_bytes(p.s, 3);
	see_recv("rest", p.s, 99, 0);
}

static void peek_offset(void)
{
	struct pair p = pair();
	int c = client(SOCK_STREAM), offset = 2;

	TRY(setsockopt(c, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)));
	TRY(setsockopt(p.s, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)));
	put(p.c, "abcdefgh");
	wait_bytes(p.s, 8);
	see_recv("peek", p.s, 2, MSG_PEEK);
	see_recv("peek", p.s, 2, MSG_PEEK);
	see_recv("read", p.s, 3, 0);
	see_recv("peek", p.s, 2, MSG_PEEK);
}

static void timeouts(void)
{
	struct timeval soon = { .tv_usec = 30000 };
	struct pair p = pair();
	static char buf[1 << 16];
	int n = 0;

	MUST(setsockopt(p.c, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	MUST(setsockopt(p.c, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)));
	TRY(recv(p.c, buf, 1, 0));
	TRY(recv(p.c, buf, 1, MSG_WAITALL));
	put(p.s, "abc");
	wait_bytes(p.c, 3);
	TRY(recv(p.c, buf, 8, MSG_WAITALL));
	set_int(p.c, SOL_SOCKET, SO_RCVLOWAT, 4);
	put(p.s, "abc");
	wait_bytes(p.c, 3);
	see_poll("below low water", p.c);
	put(p.s, "d");
	wait_bytes(p.c, 4);
	see_poll("at low water", p.c);
	set_int(p.c, SOL_SOCKET, SO_SNDBUF, 8192);
	set_int(p.s, SOL_SOCKET, SO_RCVBUF, 8192);
	while (send(p.c, buf, sizeof(buf), 0) > 0)
		n++;
	see("full: %s", strerrorname_np(errno));
	CHECK(n < 1000);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A timer's signal while recv() sleeps. */
static void interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	/* Again and again: the first one may come before the call that it is for. */
	struct itimerval period = { { .tv_usec = 30000 }, { .tv_usec = 30000 } };
	struct pair p = pair();
	char byte;

	MUST(sigaction(SIGALRM, &sa, NULL));
	MUST(setitimer(ITIMER_REAL, &period, NULL));
	TRY(recv(p.c, &byte, 1, 0));
	MUST(setitimer(ITIMER_REAL, &(struct itimerval){ }, NULL));
	put(p.s, "ab");
	wait_bytes(p.c, 2);
	MUST(setitimer(ITIMER_REAL, &period, NULL));
	TRY(recv(p.c, (char[4]){ }, 4, MSG_WAITALL));
}

/* More than any buffer holds, checked byte by byte. */
struct bulk {
	int fd;
	size_t len;
	bool ok;
};

#define BULK	(1 << 20)

static unsigned char bulk_byte(size_t i)
{
	return i * 31 + (i >> 12);
}

static void *bulk_read(void *arg)
{
	struct bulk *b = arg;
	static unsigned char buf[1 << 16];
	ssize_t n, i;

	b->ok = true;
	do {
		wait_for(b->fd, POLLIN);
		n = recv(b->fd, buf, sizeof(buf), 0);
		for (i = 0; i < n; i++)
			b->ok &= buf[i] == bulk_byte(b->len + i);
		b->len += n > 0 ? n : 0;
	} while (n > 0);
	return NULL;
}

/* send_some() until all is out, while a thread reads. */
static void bulk(ssize_t (*send_some)(int fd, int file, size_t at, size_t len))
{
	struct pair p = pair();
	struct bulk in = { .fd = p.s };
	int file = MUST(memfd_create("bulk", 0));
	unsigned char *map;
	size_t at, i;
	pthread_t t;

	MUST(ftruncate(file, BULK));
	map = mmap(NULL, BULK, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	for (i = 0; i < BULK; i++)
		map[i] = bulk_byte(i);
	if (pthread_create(&t, NULL, bulk_read, &in))
		give_up(__FILE__, __LINE__, "pthread_create");
	for (at = 0; at < BULK; ) {
		ssize_t n = send_some(p.c, file, at, BULK - at);

		if (n < 0 && errno == EAGAIN)
			wait_for(p.c, POLLOUT);
		else
			at += MUST(n);
	}
	MUST(shutdown(p.c, SHUT_WR));
	pthread_join(t, NULL);
	see("%zu bytes, %s", in.len, in.ok ? "right" : "wrong");
	CHECK(in.ok && in.len == BULK);
}

static ssize_t by_sendfile(int fd, int file, size_t at, size_t len)
{
	off_t offset = at;

	return sendfile(fd, file, &offset, len);
}

static ssize_t by_splice(int fd, int file, size_t at, size_t len)
{
	static int pipes[2];
	static size_t held;
	loff_t offset = at;
	ssize_t n;

	if (!pipes[1])
		MUST(pipe2(pipes, O_NONBLOCK));
	offset += held;
	if (!held)
		held = MUST(splice(file, &offset, pipes[1], NULL, len, SPLICE_F_MORE));
	n = splice(pipes[0], NULL, fd, NULL, held, accept_flags() ? SPLICE_F_NONBLOCK : 0);
	held -= n > 0 ? n : 0;
	return n;
}

static void bulk_sendfile(void)
{
	bulk(by_sendfile);
}

static void bulk_splice(void)
{
	bulk(by_splice);
}

/* Out of a socket, into a pipe, and on into another socket. */
static void splice_through(void)
{
	struct pair from = pair(), to = pair();
	int pipes[2], copy[2];

	MUST(pipe(pipes));
	MUST(pipe(copy));
	/* The flag is for the pipe; a blocking socket would wait. */
	if (run.nonblock)
		TRY(splice(from.s, NULL, pipes[1], NULL, 16, SPLICE_F_NONBLOCK));
	put(from.c, "through");
	wait_bytes(from.s, 7);
	TRY(splice(from.s, &(loff_t){ 0 }, pipes[1], NULL, 4, 0));
	TRY(splice(from.s, NULL, pipes[1], NULL, 4, 0));
	TRY(splice(from.s, NULL, pipes[1], NULL, 16, SPLICE_F_NONBLOCK));
	TRY(tee(pipes[0], copy[1], 16, 0));
	TRY(splice(pipes[0], NULL, to.c, NULL, 16, SPLICE_F_MOVE));
	get(to.s, 7);
	TRY(splice(copy[0], NULL, to.s, NULL, 16, 0));
	get(to.c, 7);
	MUST(shutdown(from.c, SHUT_WR));
	wait_for(from.s, POLLIN);
	TRY(splice(from.s, NULL, pipes[1], NULL, 16, 0));
	TRY(splice(from.s, NULL, to.s, NULL, 16, 0));
}

/* vmsplice()d pages reach the other side. */
static void splice_pages(void)
{
	struct pair p = pair();
	static char page[8192] __attribute__((aligned(4096)));
	struct iovec iov = { page, sizeof(page) };
	int pipes[2];

	memset(page, 'p', sizeof(page));
	MUST(pipe(pipes));
	TRY(vmsplice(pipes[1], &iov, 1, SPLICE_F_GIFT));
	TRY(splice(pipes[0], NULL, p.c, NULL, sizeof(page), 0));
	get(p.s, 4096);
	get(p.s, 4096);
}

/* What the error queue has to say. */
static void see_notification(int fd)
{
	char control[256];
	struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	wait_for(fd, POLLERR);
	see_poll("notified", fd);
	TRY(recvmsg(fd, &m, MSG_ERRQUEUE));
	see("flags %x", m.msg_flags);
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct sock_extended_err ee;

		memcpy(&ee, CMSG_DATA(c), sizeof(ee));
		see("level %d type %d errno %u origin %u type %u code %u info %u data %u",
		    c->cmsg_level, c->cmsg_type, ee.ee_errno, ee.ee_origin, ee.ee_type,
		    ee.ee_code, ee.ee_info, ee.ee_data);
	}
}

static void zerocopy(void)
{
	int c = client(SOCK_STREAM), l = listener(), s;
	static char buf[16384];

	memset(buf, 'z', sizeof(buf));
	/* Without the option the flag means nothing. */
	TRY(setsockopt(c, SOL_SOCKET, SO_ZEROCOPY, &(int){ 2 }, sizeof(int)));
	TRY(setsockopt(c, SOL_SOCKET, SO_ZEROCOPY, &(int){ 1 }, sizeof(int)));
	dial(c, l);
	s = take(l);
	see("SO_ZEROCOPY %d", get_int(c, SOL_SOCKET, SO_ZEROCOPY));
	TRY(send(s, buf, 4, MSG_ZEROCOPY));
	TRY(send(c, buf, sizeof(buf), MSG_ZEROCOPY));
	get(s, 4096);
	get(s, 4096);
	get(s, 4096);
	get(s, 4096);
	see_notification(c);
	/* 6.12 refuses the flag on a child of a listener that it has no option from. */
	set_int(s, SOL_SOCKET, SO_ZEROCOPY, 1);
	TRY(send(s, buf, 1000, MSG_ZEROCOPY));
	get(c, 1004);
	see_notification(s);
}

static void inq(void)
{
	struct pair p = pair();
	char buf[4], control[64] = "";
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int left;

	set_int(p.s, IPPROTO_TCP, TCP_INQ, 1);
	put(p.c, "0123456789");
	wait_bytes(p.s, 10);
	TRY(recvmsg(p.s, &m, 0));
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		memcpy(&left, CMSG_DATA(c), sizeof(left));
		see("level %d type %d left %d", c->cmsg_level, c->cmsg_type, left);
	}
}

/* Time stamps of sent bytes, by key. */
static void timestamps(void)
{
	enum { TX_SOFTWARE = 1 << 1, SOFTWARE = 1 << 4, OPT_ID = 1 << 7, OPT_TSONLY = 1 << 11 };
	int c = client(SOCK_STREAM), l = listener(), s;

	TRY(setsockopt(c, SOL_SOCKET, SO_TIMESTAMPING,
		       &(int){ TX_SOFTWARE | SOFTWARE | OPT_TSONLY }, sizeof(int)));
	dial(c, l);
	s = take(l);
	TRY(setsockopt(c, SOL_SOCKET, SO_TIMESTAMPING,
		       &(int){ TX_SOFTWARE | SOFTWARE | OPT_ID | OPT_TSONLY }, sizeof(int)));
	put(c, "stamp");
	get(s, 5);
	wait_for(c, POLLERR);
	see_poll("stamped", c);
}

const struct scenario data_scenarios[] = {
	{ "data.unconnected", unconnected, 0 },
	{ "data.unconnected_shutdown", unconnected_shutdown, 0 },
	{ "data.flags", flags, 0 },
	{ "data.many", many, 0 },
	{ "data.urgent", urgent, 0 },
	{ "data.peek_offset", peek_offset, ONE_MODE },
	{ "data.timeouts", timeouts, ONE_MODE },
	{ "data.interrupted", interrupted, ONE_MODE },
	{ "data.bulk_sendfile", bulk_sendfile, 0 },
	{ "data.bulk_splice", bulk_splice, 0 },
	{ "data.splice_through", splice_through, 0 },
	{ "data.splice_pages", splice_pages, ONE_MODE },
	{ "data.zerocopy", zerocopy, ONE_MODE },
	{ "data.inq", inq, ONE_MODE },
	{ "data.timestamps", timestamps, ONE_MODE },
	{ }
};
