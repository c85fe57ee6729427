// SPDX-License-Identifier: GPL-2.0-only
/* io_uring, by its system calls: single and multishot, blocking sockets and not. */
#include "parity.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>

#define ENTRIES	32

/* One ring; nothing here is fast. */
static struct {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static void ring_init(void)
{
	struct io_uring_params p = { 0 };
	char *sq, *cq;

	ring.fd = syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (ring.fd < 0)
		skip("no io_uring: %s", strerror(errno));
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(int), PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		  PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_CQ_RING);
	ring.sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
			 MAP_SHARED, ring.fd, IORING_OFF_SQES);
	ring.sq_tail = (void *)(sq + p.sq_off.tail);
	ring.sq_mask = (void *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (void *)(sq + p.sq_off.array);
	ring.cq_head = (void *)(cq + p.cq_off.head);
	ring.cq_tail = (void *)(cq + p.cq_off.tail);
	ring.cq_mask = (void *)(cq + p.cq_off.ring_mask);
	ring.cqes = (void *)(cq + p.cq_off.cqes);
}

static struct io_uring_sqe *prepare(int op, int fd, const void *addr, unsigned int len,
				    uint64_t name)
{
	unsigned int tail = *ring.sq_tail, index = tail & *ring.sq_mask;
	struct io_uring_sqe *sqe = &ring.sqes[index];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = op;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->user_data = name;
	ring.sq_array[index] = index;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	return sqe;
}

static void submit(int n)
{
	MUST(syscall(SYS_io_uring_enter, ring.fd, n, 0, 0, NULL, 0));
}

static struct io_uring_cqe *find_completion(uint64_t name)
{
	unsigned int i;

	for (i = *ring.cq_head; i != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE); i++)
		if (ring.cqes[i & *ring.cq_mask].user_data == name)
			return &ring.cqes[i & *ring.cq_mask];
	return NULL;
}

/* Wait for a completion of this request, whatever else completes before it. */
static int complete(const char *what, uint64_t name)
{
	struct io_uring_cqe *first, *cqe, found;
	int ms;

	wait_for(ring.fd, POLLIN);
	for (ms = 0; !(cqe = find_completion(name)); ms++) {
		if (ms == 10000) {
			errno = ETIMEDOUT;
			give_up(__FILE__, __LINE__, what);
		}
		usleep(1000);
	}
	found = *cqe;
	first = &ring.cqes[*ring.cq_head & *ring.cq_mask];
	*cqe = *first;
	__atomic_store_n(ring.cq_head, *ring.cq_head + 1, __ATOMIC_RELEASE);
	if (found.res < 0)
		see("%s = %s flags %x", what, strerrorname_np(-found.res), found.flags & 0xffff);
	else
		see("%s = %d flags %x", what, found.res, found.flags & 0xffff);
	return found.res;
}

static bool completed(uint64_t name)
{
	return find_completion(name);
}

static void prepare_connect(int fd, const union addr *a, uint64_t name)
{
	prepare(IORING_OP_CONNECT, fd, a, 0, name)->off = addr_len();
}

static void prepare_accept(int fd, union addr *a, socklen_t *len, uint64_t name)
{
	prepare(IORING_OP_ACCEPT, fd, a, 0, name)->addr2 = (uintptr_t)len;
}

static void basics(void)
{
	int c = client(SOCK_STREAM), l = listener(), s;
	union addr a = local_addr(l), peer;
	socklen_t len = sizeof(peer);
	char buf[16];

	ring_init();
	prepare_accept(l, &peer, &len, 1);
	submit(1);
	prepare_connect(c, &a, 2);
	submit(1);
	complete("connect", 2);
	wait_for(c, POLLOUT);
	s = complete("accept", 1);
	/* A non-blocking socket's accept does not wait, here either. */
	if (s == -EAGAIN) {
		prepare_accept(l, &peer, &len, 3);
		submit(1);
		s = complete("accept", 3);
	}
	MUST(s);
	see("from %s", show_addr(&peer, len));
	see_name("client", c);
	prepare(IORING_OP_SEND, c, "hello", 5, 4);
	submit(1);
	complete("send", 4);
	wait_bytes(s, 5);
	prepare(IORING_OP_RECV, s, buf, sizeof(buf), 5);
	submit(1);
	see_bytes("got", buf, complete("recv", 5));
	prepare(IORING_OP_WRITE, s, "reply", 5, 6)->off = -1;
	submit(1);
	complete("write", 6);
	wait_bytes(c, 5);
	prepare(IORING_OP_READ, c, buf, sizeof(buf), 7)->off = -1;
	submit(1);
	see_bytes("got", buf, complete("read", 7));
	prepare(IORING_OP_SHUTDOWN, c, NULL, SHUT_WR, 8);
	submit(1);
	complete("shutdown", 8);
	wait_for(s, POLLIN);
	prepare(IORING_OP_RECV, s, buf, sizeof(buf), 9);
	submit(1);
	complete("recv", 9);
	prepare(IORING_OP_CLOSE, s, NULL, 0, 10);
	submit(1);
	complete("close", 10);
}

/* Requests that wait, armed before there is anything to wait for. */
static void armed(void)
{
	struct pair p = pair();
	char buf[16];

	ring_init();
	/* The poll side of it works on a non-blocking socket. */
	prepare(IORING_OP_POLL_ADD, p.s, NULL, 0, 1)->poll32_events = POLLIN;
	submit(1);
	see("poll %s", completed(1) ? "has completed" : "waits");
	put(p.c, "data");
	complete("poll", 1);
	get(p.s, 4);
	prepare(IORING_OP_RECV, p.s, buf, sizeof(buf), 2);
	submit(1);
	/* Kernels differ in whether a non-blocking socket's recv waits. */
	if (completed(2)) {
		complete("recv", 2);
		return;
	}
	put(p.c, "more");
	see_bytes("got", buf, complete("recv", 2));
	prepare(IORING_OP_RECV, p.s, buf, sizeof(buf), 3);
	submit(1);
	close(p.c);
	complete("recv", 3);
}

/* Poll requests on sockets that are not connected yet. */
static void early_poll(void)
{
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM);
	struct io_uring_sqe *sqe;

	ring_init();
	prepare(IORING_OP_POLL_ADD, c, NULL, 0, 1)->poll32_events = POLLIN | POLLRDHUP;
	submit(1);
	complete("fresh", 1);
	bound(l, 0);
	MUST(listen(l, 4));
	sqe = prepare(IORING_OP_POLL_ADD, l, NULL, IORING_POLL_ADD_MULTI, 2);
	sqe->poll32_events = POLLIN;
	submit(1);
	dial(c, l);
	complete("listener", 2);
	put(take(l), "x");
	wait_bytes(c, 1);
	dial(client(SOCK_STREAM), l);
	complete("listener again", 2);
	prepare(IORING_OP_POLL_REMOVE, -1, (void *)2, 0, 3);
	submit(1);
}

static void multishot_accept(void)
{
	int l = listener(), c[3], i;

	ring_init();
	prepare(IORING_OP_ACCEPT, l, NULL, 0, 1)->ioprio = IORING_ACCEPT_MULTISHOT;
	submit(1);
	if (completed(1)) {
		complete("accept", 1);
		return;
	}
	for (i = 0; i < 3; i++) {
		dial(c[i] = client(SOCK_STREAM), l);
		echo(c[i], complete("accept", 1));
	}
	see("nothing else: %d", completed(1));
	MUST(shutdown(l, SHUT_RD));
	complete("shut down", 1);
}

static void multishot_recv(void)
{
	static char space[4][64];
	struct io_uring_buf_reg reg = { .ring_entries = 4, .bgid = 1 };
	struct io_uring_buf_ring *bufs = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pair p = pair();
	struct io_uring_sqe *sqe;
	int i;

	ring_init();
	reg.ring_addr = (uintptr_t)bufs;
	MUST(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_PBUF_RING, &reg, 1));
	for (i = 0; i < 4; i++) {
		bufs->bufs[i].addr = (uintptr_t)space[i];
		bufs->bufs[i].len = sizeof(space[i]);
		bufs->bufs[i].bid = i;
	}
	__atomic_store_n(&bufs->tail, 4, __ATOMIC_RELEASE);
	sqe = prepare(IORING_OP_RECV, p.s, NULL, 0, 1);
	sqe->ioprio = IORING_RECV_MULTISHOT;
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = 1;
	submit(1);
	for (i = 0; i < 3; i++) {
		put(p.c, "data");
		see_bytes("got", space[i], complete("recv", 1));
	}
	close(p.c);
	complete("end", 1);
}

static void connect_errors(void)
{
	union addr dead = dead_end();
	int c = client(SOCK_STREAM), l = listener();
	union addr a = local_addr(l);

	ring_init();
	prepare_connect(c, &dead, 1);
	submit(1);
	complete("dead port", 1);
	if (run.nonblock) {
		wait_for(c, POLLHUP);
		see_error(c);
	}
	prepare(IORING_OP_CONNECT, c, &a, 0, 2)->off = 3;
	submit(1);
	complete("short address", 2);
	prepare_connect(c, &a, 3);
	submit(1);
	complete("connect", 3);
	wait_for(c, POLLOUT);
	prepare_connect(c, &a, 4);
	submit(1);
	complete("again", 4);
	echo(c, take(l));
	prepare(IORING_OP_RECV, client(SOCK_STREAM), &a, 1, 5);
	submit(1);
	complete("recv, not connected", 5);
	prepare(IORING_OP_SEND, client(SOCK_STREAM), &a, 1, 6)->msg_flags = MSG_NOSIGNAL;
	submit(1);
	complete("send, not connected", 6);
	prepare_accept(client(SOCK_STREAM), NULL, NULL, 7);
	submit(1);
	complete("accept, not listening", 7);
}

/* An accept that waits is cancelled; the connection goes to nobody. */
static void cancelled(void)
{
	int l = listener();

	ring_init();
	prepare_accept(l, NULL, NULL, 1);
	submit(1);
	if (completed(1)) {
		complete("accept", 1);
		return;
	}
	prepare(IORING_OP_ASYNC_CANCEL, -1, (void *)1, 0, 2);
	submit(1);
	complete("cancel", 2);
	complete("accept", 1);
	dial(client(SOCK_STREAM), l);
	wait_for(l, POLLIN);
	see_poll("listener", l);
}

/* connect, send and recv as one chain. */
static void linked(void)
{
	int c = client(SOCK_STREAM), l = listener(), s;
	union addr a = local_addr(l);
	char buf[8];

	ring_init();
	prepare_connect(c, &a, 1);
	ring.sqes[0].flags = IOSQE_IO_LINK;
	prepare(IORING_OP_SEND, c, "hello", 5, 2)->flags = IOSQE_IO_LINK;
	prepare(IORING_OP_RECV, c, buf, 5, 3);
	submit(3);
	if (complete("connect", 1) < 0) {
		complete("send", 2);
		complete("recv", 3);
		return;
	}
	s = take(l);
	get(s, 5);
	put(s, "reply");
	complete("send", 2);
	see_bytes("got", buf, complete("recv", 3));
}

/* With IOSQE_ASYNC the calls are made by a worker thread of the ring. */
static void workers(void)
{
	int c = client(SOCK_STREAM), l = listener(), s;
	union addr a = local_addr(l);
	char buf[8];

	ring_init();
	prepare_connect(c, &a, 1);
	ring.sqes[0].flags = IOSQE_ASYNC;
	submit(1);
	complete("connect", 1);
	wait_for(l, POLLIN);
	prepare(IORING_OP_ACCEPT, l, NULL, 0, 2)->flags = IOSQE_ASYNC;
	submit(1);
	s = complete("accept", 2);
	wait_for(c, POLLOUT);
	prepare(IORING_OP_SEND, s, "hello", 5, 3)->flags = IOSQE_ASYNC;
	submit(1);
	complete("send", 3);
	wait_bytes(c, 5);
	prepare(IORING_OP_RECV, c, buf, 5, 4)->flags = IOSQE_ASYNC;
	submit(1);
	see_bytes("got", buf, complete("recv", 4));
}

/* SEND_ZC needs a flag of the socket that a socket of our own making could lack. */
static void send_zc(void)
{
	int fresh = client(SOCK_STREAM);
	struct pair p = pair();
	static char buf[8192];

	ring_init();
	memset(buf, 'z', sizeof(buf));
	prepare(IORING_OP_SEND_ZC, fresh, buf, 8, 1)->msg_flags = MSG_NOSIGNAL;
	submit(1);
	complete("not connected", 1);
	if (completed(1))
		complete("notification", 1);
	prepare(IORING_OP_SEND_ZC, p.c, buf, sizeof(buf), 2);
	submit(1);
	complete("client", 2);
	get(p.s, 4096);
	get(p.s, 4096);
	complete("notification", 2);
	prepare(IORING_OP_SEND_ZC, p.s, buf, 100, 3);
	submit(1);
	complete("server", 3);
	get(p.c, 100);
	complete("notification", 3);
}

static void fastopen(void)
{
	int c = client(SOCK_STREAM), l;
	union addr a;
	struct msghdr m = { .msg_name = &a, .msg_iov = &(struct iovec){ "hello", 5 },
			    .msg_iovlen = 1 };

	write_file("/proc/sys/net/ipv4/tcp_fastopen", "1543");
	l = bound(server(SOCK_STREAM), 0);
	set_int(l, IPPROTO_TCP, 23 /* TCP_FASTOPEN */, 4);
	MUST(listen(l, 4));
	a = local_addr(l);
	m.msg_namelen = addr_len();
	ring_init();
	prepare(IORING_OP_SENDMSG, c, &m, 1, 1)->msg_flags = MSG_FASTOPEN;
	submit(1);
	complete("sendmsg", 1);
	get(take(l), 5);
}

static void dgram(void)
{
	int c = client(SOCK_DGRAM), s = bound(server(SOCK_DGRAM), 0);
	union addr a = local_addr(s), from;
	char buf[16];
	struct iovec out = { "hello", 5 }, in = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &a, .msg_namelen = addr_len(), .msg_iov = &out,
			    .msg_iovlen = 1 };
	struct msghdr r = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &in,
			    .msg_iovlen = 1 };

	ring_init();
	prepare(IORING_OP_SENDMSG, c, &m, 1, 1);
	submit(1);
	complete("sendmsg", 1);
	wait_for(s, POLLIN);
	prepare(IORING_OP_RECVMSG, s, &r, 1, 2);
	submit(1);
	see_bytes("got", buf, complete("recvmsg", 2));
	see("from %s", show_addr(&from, r.msg_namelen));
	prepare_connect(c, &a, 3);
	submit(1);
	complete("connect", 3);
	prepare(IORING_OP_SEND_ZC, c, "zero", 4, 4);
	submit(1);
	complete("send", 4);
	get(s, 4);
	complete("notification", 4);
}

const struct scenario uring_scenarios[] = {
	{ "uring.basics", basics, 0 },
	{ "uring.armed", armed, 0 },
	{ "uring.early_poll", early_poll, ONE_MODE },
	{ "uring.multishot_accept", multishot_accept, 0 },
	{ "uring.multishot_recv", multishot_recv, ONE_MODE },
	{ "uring.connect_errors", connect_errors, 0 },
	{ "uring.cancelled", cancelled, 0 },
	{ "uring.linked", linked, 0 },
	{ "uring.workers", workers, 0 },
	{ "uring.send_zc", send_zc, ONE_MODE },
	{ "uring.fastopen", fastopen, 0 },
	{ "uring.dgram", dgram, DGRAM },
	{ }
};
