// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_lies: a stack says one thing that makes no sense, or dies at one bad moment, and what its applications see of that.
 * stack_hostile does all of it at once and at random; here each has its own case.
 */
#include "kselftest.h"
#include "raw.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>

#define ARENA	(256u << 10)
#define PORT	7200
#define MAPPED	"\0\0\0\0\0\0\0\0\0\0\xff\xff"

/* A socket, and what the stack knows of it. */
struct end {
	int fd;
	uint64_t conn;
	struct dmm_page *page;
};

#define NONE	{ .fd = -1 }

static bool begin(struct raw *r, unsigned int conns)
{
	struct dmm_register reg = raw_register("raw", ARENA, conns);
	int err = raw_open(r, &reg);

	if (err)
		ksft_note("register: %s", strerror(-err));
	return !err;
}

/* All memory must come back when the sockets are closed as well. */
static bool finish(struct raw *r)
{
	return raw_given_back(raw_close(r));
}

static void set_nonblock(int fd, bool on)
{
	fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0);
}

/* On its way to the stack. */
static bool ask(struct raw *r, struct end *e, struct dmm_event *ev)
{
	e->fd = raw_socket(SOCK_STREAM, 300);
	set_nonblock(e->fd, true);
	if (!raw_connect(e->fd, PORT) || errno != EINPROGRESS || !raw_expect(r, DMM_EV_CONNECT, ev))
		return false;
	set_nonblock(e->fd, false);
	e->conn = ev->conn;
	e->page = raw_page(r, ev->open.page);
	return true;
}

static bool join(struct raw *r, struct end *e)
{
	struct dmm_event ev;

	return ask(r, e, &ev) && !raw_answer(r, &ev) && raw_serves(e->fd, "raw");
}

static bool join_dgram(struct raw *r, struct end *e)
{
	struct dmm_event ev;

	e->fd = raw_socket(SOCK_DGRAM, 300);
	if (raw_connect(e->fd, PORT) || !raw_expect(r, DMM_EV_BIND, &ev))
		return false;
	e->conn = ev.conn;
	e->page = raw_page(r, ev.open.page);
	return !raw_answer(r, &ev);
}

static bool say(struct raw *r, const struct end *e, unsigned int type, int value)
{
	return !raw_tell(r, &(struct dmm_event){ .type = type, .conn = e->conn, .value = value });
}

/* What recv() says: bytes, or a negative errno. */
static int got(const struct end *e)
{
	char buf[200];
	int n = recv(e->fd, buf, sizeof(buf), 0);

	return n < 0 ? -errno : n;
}

static bool works(struct raw *r, const struct end *e)
{
	raw_put(r, e->page, "abc", 3);
	say(r, e, DMM_EV_RX_DATA, 0);
	return got(e) == 3 && send(e->fd, "x", 1, 0) == 1;
}

/* The stack is told that the connection is over. */
static bool told_reset(struct raw *r, const struct end *e)
{
	struct dmm_event ev;

	return raw_expect(r, DMM_EV_CLOSE, &ev) && ev.conn == e->conn && ev.flags == DMM_EVF_RESET &&
	       say(r, e, DMM_EV_CLOSED, 0);
}

/* Numbers of errors that are none: above those of applications are the kernel's own. */
static bool test_errors(void)
{
	static const int odd[] = { 0, 1, -512, -513, -516, -529, -530, -4095, -4096, INT32_MIN, INT32_MAX };
	struct end e = NONE;
	struct raw r;
	bool ok;
	size_t i;

	ok = begin(&r, 8) && join(&r, &e);
	for (i = 0; ok && i < sizeof(odd) / sizeof(*odd); i++)
		ok = say(&r, &e, DMM_EV_ERROR, odd[i]) && works(&r, &e);
	ok = ok && say(&r, &e, DMM_EV_ERROR, -ENETRESET) && got(&e) == -ENETRESET;
	close(e.fd);
	return finish(&r) && ok;
}

/* Which of two queues a connect comes to. */
static int asked_on(struct raw q[2], struct dmm_event *ev)
{
	long end = raw_now() + 20000;
	int i;

	do {
		for (i = 0; i < 2; i++)
			if (raw_take(&q[i], ev) && ev->type == DMM_EV_CONNECT)
				return i;
		usleep(1000);
	} while (raw_now() < end);
	return -1;
}

static bool is_connected(const struct end *e)
{
	struct pollfd p = { e->fd, POLLOUT, 0 };

	return poll(&p, 1, 0) > 0;
}

/* What the other queue says of it, from the connect to the close, changes nothing, and it hears nothing. */
static bool another_queue(struct raw q[2])
{
	struct dmm_event ev, yes;
	struct raw *own, *other;
	struct end e = NONE;
	int nr;
	bool ok;

	e.fd = raw_socket(SOCK_STREAM, 20000);
	set_nonblock(e.fd, true);
	raw_connect(e.fd, PORT);
	nr = asked_on(q, &ev);
	if (nr < 0)
		return false;
	own = &q[nr];
	other = &q[!nr];
	e.conn = ev.conn;
	e.page = raw_page(own, ev.open.page);
	yes = ev;
	ok = !raw_answer(other, &yes) && say(other, &e, DMM_EV_ERROR, -ECONNREFUSED) && !is_connected(&e);
	ok = ok && !raw_answer(own, &ev) && is_connected(&e);
	set_nonblock(e.fd, false);
	ok = ok && say(other, &e, DMM_EV_ERROR, -ECONNRESET) && say(other, &e, DMM_EV_EOF, 0) && works(own, &e);
	shutdown(e.fd, SHUT_WR);
	ok = ok && raw_expect(own, DMM_EV_SHUTDOWN, &ev);
	close(e.fd);
	ok = ok && raw_expect(own, DMM_EV_CLOSE, &ev) && say(other, &e, DMM_EV_CLOSED, 0) && raw_quiet(other);
	/* It is still there. */
	return ok && raw_run("dmmpolicy stack show raw | grep -q 'live 1'") && say(own, &e, DMM_EV_CLOSED, 0) &&
	       raw_run("dmmpolicy stack show raw | grep -q 'live 0'");
}

static bool test_queues(void)
{
	struct dmm_register reg = raw_register("raw", ARENA, 8);
	struct raw q[2];
	bool ok;
	int i;

	reg.nr_queues = 2;
	ok = !raw_open(&q[0], &reg) && !raw_other(&q[1], &q[0], 1);
	/* Connects take turns: both queues are each of the two. */
	for (i = 0; ok && i < 2; i++)
		ok = another_queue(q);
	raw_unmap(&q[1]);
	return finish(&q[0]) && ok;
}

/* What does not fit the connection's kind or state changes nothing. */
static bool test_order(void)
{
	static const unsigned int types[] = {
		DMM_EV_CONNECTED, DMM_EV_LISTENING, DMM_EV_CLOSED, DMM_EV_CLOSED, DMM_EV_PAIR, DMM_EV_CONNECT, DMM_EV_ACCEPT,
		DMM_EV_CLOSE, DMM_EV_REFUSE, 0, 12, 32, 43, 0xffff,
	};
	struct dmm_event ev;
	struct end e = NONE;
	struct raw r;
	bool ok;
	size_t i;

	ok = begin(&r, 8) && join(&r, &e);
	for (i = 0; ok && i < sizeof(types) / sizeof(*types); i++)
		ok = say(&r, &e, types[i], -1) && works(&r, &e);
	/* Of one that is not there, whose number is free, or somebody else's. */
	for (i = 0; ok && i < 64; i++) {
		ev = (struct dmm_event){ .type = DMM_EV_ERROR, .value = -EPIPE, .conn = e.conn ^ 1ull << i };
		ok = !raw_tell(&r, &ev) && works(&r, &e);
	}
	close(e.fd);
	ok = ok && raw_expect(&r, DMM_EV_CLOSE, &ev) && say(&r, &e, DMM_EV_CLOSED, 0) && say(&r, &e, DMM_EV_CLOSED, 0);
	ok = ok && say(&r, &e, DMM_EV_ERROR, -EPIPE) && join(&r, &e) && works(&r, &e);
	close(e.fd);
	return finish(&r) && ok;
}

/* An answer before the question: the kernel has said nothing of the connection yet, and its number can be guessed. */
static bool test_early(void)
{
	struct dmm_event ev;
	struct end first = NONE, e = NONE;
	struct raw r;
	bool ok;
	int i;

	ok = begin(&r, 8) && join(&r, &first);
	/* Until the ring is full: the next question has to wait for room. */
	for (i = 0; ok && i < 200; i++)
		setsockopt(first.fd, IPPROTO_TCP, TCP_NODELAY, &(int){ i % 2 }, sizeof(int));
	e.fd = raw_socket(SOCK_STREAM, 300);
	set_nonblock(e.fd, true);
	ok = ok && raw_connect(e.fd, PORT) && errno == EINPROGRESS && r.k->held_back;
	ev = (struct dmm_event){ .type = DMM_EV_ERROR, .conn = first.conn + (1ull << 32) + 1, .value = -ECONNREFUSED };
	ok = ok && !raw_tell(&r, &ev) && poll(&(struct pollfd){ e.fd, POLLOUT, 0 }, 1, 20000) == 1;
	ok = ok && raw_connect(e.fd, PORT) && errno == ECONNREFUSED;
	while (ok && raw_take(&r, &ev))
		ok = ev.conn == first.conn;
	ok = ok && !raw_enter(&r, 0) && works(&r, &first);
	close(e.fd);
	close(first.fd);
	return finish(&r) && ok;
}

static bool is_reset(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char c;

	return poll(&p, 1, 20000) == 1 && (p.revents & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP) &&
	       recv(fd, &c, 1, 0) == -1 && errno == ECONNRESET;
}

/* An index of the event rings is beyond: all that it serves hear of it at once, though the daemon lives on. */
static bool broken_by(uint32_t *(*word)(struct raw *r), bool enters)
{
	struct end a = NONE, b = NONE, dgram = NONE, asking = NONE;
	struct dmm_event ev;
	struct raw r;
	int l = raw_socket(SOCK_STREAM, 300), extra = -1, err;
	bool ok;

	ok = begin(&r, 16) && !raw_bind(l, PORT) && !listen(l, 5) && raw_expect(&r, DMM_EV_LISTEN, &ev) &&
	     !raw_answer(&r, &ev) && join(&r, &a) && join(&r, &b) && join_dgram(&r, &dgram) && ask(&r, &asking, &ev);
	if (!ok)
		return false;
	set_nonblock(asking.fd, true);
	*word(&r) += 0x10000000;
	if (enters) {
		ok = raw_enter(&r, 0) == -EIO;
	} else {
		/* The kernel finds it when it has something to say. */
		extra = raw_socket(SOCK_STREAM, 300);
		set_nonblock(extra, true);
		raw_connect(extra, PORT);
	}
	ok = ok && is_reset(a.fd) && is_reset(b.fd) && is_reset(dgram.fd) && raw_enter(&r, -1) == -EIO;
	ok = ok && poll(&(struct pollfd){ asking.fd, POLLOUT, 0 }, 1, 20000) == 1;
	err = ok && raw_connect(asking.fd, PORT) ? errno : 0;
	/* And nobody else gets there: the rule is strict. */
	ok = ok && err == ECONNREFUSED && raw_wait("dmmpolicy stack show | grep -q ' live 0 listeners 0 '") &&
	     raw_run("dmmpolicy stack show | grep -q broken");
	close(l);
	close(extra);
	close(a.fd);
	close(b.fd);
	close(dgram.fd);
	close(asking.fd);
	return finish(&r) && ok;
}

static uint32_t *up_head(struct raw *r) { return &r->s->up_head; }
static uint32_t *down_tail(struct raw *r) { return &r->s->down_tail; }

static bool test_broken(void)
{
	return broken_by(up_head, true) && broken_by(down_tail, false);
}

/* Words of rx rings, all wrong. @offered: after a larger piece was put there. */
static const struct {
	const char *name;
	size_t word;
	uint32_t more;
	bool offered;
} rx_words[] = {
	{ "head one byte too far", offsetof(struct dmm_ring, head), 2049, false },
	{ "head far beyond", offsetof(struct dmm_ring, head), 0x7fffffff, false },
	{ "head before the tail", offsetof(struct dmm_ring, head), -1u, false },
	{ "moved without an offer", offsetof(struct dmm_ring, epoch), 1, false },
	{ "moved back", offsetof(struct dmm_ring, epoch), -1u, false },
	{ "moved twice", offsetof(struct dmm_ring, epoch), 2, true },
	{ "moved by half the range", offsetof(struct dmm_ring, epoch), 0x80000001, true },
};

static bool test_rx(void)
{
	struct end good = NONE, e = NONE;
	struct raw r;
	bool ok = begin(&r, 8) && join(&r, &good), once;
	size_t i;

	for (i = 0; ok && i < sizeof(rx_words) / sizeof(*rx_words); i++) {
		struct dmm_event ev;

		once = join(&r, &e) && works(&r, &e);
		if (rx_words[i].offered)
			once = once && say(&r, &e, DMM_EV_RX_FULL, 0) && raw_expect(&r, DMM_EV_RX_SPACE, &ev) &&
			       e.page->rx.piece[1].size;
		*(uint32_t *)((char *)&e.page->rx + rx_words[i].word) += rx_words[i].more;
		once = once && got(&e) == -ECONNRESET && told_reset(&r, &e) && send(e.fd, "x", 1, 0) == -1 && works(&r, &good);
		if (!once)
			ksft_note("%s", rx_words[i].name);
		ok &= once;
		close(e.fd);
	}
	close(good.fd);
	return finish(&r) && ok;
}

/* It has moved where it may, but says that from an impossible index on; then a place that is too far there. */
static bool test_start(void)
{
	static const uint32_t starts[] = { 2049, -1u, 0x80000000 };
	struct dmm_event ev;
	struct end e = NONE;
	struct raw r;
	bool ok = begin(&r, 8);
	size_t i;

	for (i = 0; ok && i < 4; i++) {
		ok = join(&r, &e) && works(&r, &e) && say(&r, &e, DMM_EV_RX_FULL, 0) && raw_expect(&r, DMM_EV_RX_SPACE, &ev);
		e.page->rx.start = e.page->rx.head + (i < 3 ? starts[i] : 0);
		e.page->rx.epoch = 1;
		e.page->rx.head += i < 3 ? 0 : e.page->rx.piece[1].size + 1;
		ok = ok && got(&e) == -ECONNRESET && told_reset(&r, &e);
		close(e.fd);
	}
	return finish(&r) && ok;
}

/* What the kernel wrote: it knows better than to read it back. */
static bool test_kernels_words(void)
{
	struct end e = NONE;
	struct raw r;
	bool ok = begin(&r, 8) && join(&r, &e) && works(&r, &e);
	int n = -1;

	if (ok) {
		e.page->tx.head += 77777;
		e.page->tx.epoch += 3;
		e.page->tx.piece[0].size = 0x40000000;
		e.page->tx.piece[0].offset = ~0ull << 12;
		e.page->rx.piece[0].size = 0x40000000;
		e.page->rx.piece[0].offset = ~0ull << 20;
		e.page->rx.tail += 99999;
		ok = send(e.fd, "yz", 2, 0) == 2 && e.page->tx_bytes[1] == 'y' && e.page->tx_bytes[2] == 'z';
		ok = ok && !ioctl(e.fd, SIOCOUTQ, &n) && n == 3;
		e.page->rx_bytes[3] = 'q';
		e.page->rx.head = 4;
		ok = ok && say(&r, &e, DMM_EV_RX_DATA, 0) && got(&e) == 1;
	}
	close(e.fd);
	return finish(&r) && ok;
}

static bool test_tx(void)
{
	static const uint32_t tails[] = { 11, -1u, 0x80000000, 0x7fffffff };
	struct end e = NONE;
	struct raw r;
	bool ok = begin(&r, 8);
	size_t i;

	for (i = 0; ok && i < 4; i++) {
		ok = join(&r, &e) && send(e.fd, "0123456789", 10, 0) == 10;
		e.page->tx.tail += tails[i];
		ok = ok && send(e.fd, "x", 1, 0) == -1 && told_reset(&r, &e) && got(&e) <= 0;
		close(e.fd);
	}
	return finish(&r) && ok;
}

/* Heads of datagrams. */
static bool test_datagrams(void)
{
	static const struct {
		const char *name;
		struct dmm_datagram d;
		uint32_t bytes;
	} heads[] = {
		{ "half a head", { .len = 0, .family = AF_INET, .addr = MAPPED }, 32 },
		{ "no bytes behind it", { .len = 100, .family = AF_INET, .addr = MAPPED }, 64 },
		{ "too long", { .len = DMM_DATAGRAM_MAX + 1, .family = AF_INET, .addr = MAPPED }, 1024 },
		{ "far too long", { .len = 0xffffffc0, .family = AF_INET, .addr = MAPPED }, 1024 },
		{ "as long as the range", { .len = 0xffffffff, .family = AF_INET, .addr = MAPPED }, 1024 },
		{ "of no family", { .len = 1, .family = 0, .addr = MAPPED }, 128 },
		{ "of IPv6 on a socket of IPv4", { .len = 1, .family = AF_INET6, .addr = { [15] = 1 } }, 128 },
		{ "of another family than its address", { .len = 1, .family = AF_INET, .addr = { [15] = 1 } }, 128 },
	};
	struct end e = NONE;
	struct raw r;
	bool ok = begin(&r, 8), once;
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		once = ok && join_dgram(&r, &e);
		raw_put(&r, e.page, &heads[i].d, sizeof(heads[i].d));
		e.page->rx.head = heads[i].bytes;
		once = once && say(&r, &e, DMM_EV_RX_DATA, 0) && got(&e) == -ECONNRESET && told_reset(&r, &e);
		if (!once)
			ksft_note("%s", heads[i].name);
		ok &= once;
		close(e.fd);
	}
	return finish(&r) && ok;
}

/* Datagrams for others, without end: the receiver's timeout ends it. */
static bool quit;

static void *flood(void *arg)
{
	static const struct dmm_datagram other = { .family = AF_INET, .port = 0x1234, .addr = MAPPED "\x0a\0\0\1" };
	struct dmm_page *page = ((struct end *)arg)->page;
	uint32_t head, i;

	for (i = 0; i < 2048; i += 64)
		memcpy(page->rx_bytes + i, &other, sizeof(other));
	while (!__atomic_load_n(&quit, __ATOMIC_RELAXED)) {
		head = __atomic_load_n(&page->rx.tail, __ATOMIC_ACQUIRE) + 2048;
		__atomic_store_n(&page->rx.head, head, __ATOMIC_RELEASE);
	}
	return NULL;
}

static bool test_flood(void)
{
	pthread_t thread;
	struct end e = NONE;
	struct raw r;
	bool ok = begin(&r, 8) && join_dgram(&r, &e);

	if (!ok)
		return false;
	pthread_create(&thread, NULL, flood, &e);
	ok = got(&e) == -EAGAIN && got(&e) == -EAGAIN;
	poll(&(struct pollfd){ e.fd, POLLIN, 0 }, 1, 10);
	__atomic_store_n(&quit, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	close(e.fd);
	return finish(&r) && ok;
}

/* What is read after the daemon's death, while its ring was full and it wanted to be told of room. */
static bool test_last_bytes(void)
{
	struct end e = NONE;
	struct raw r;
	bool ok = begin(&r, 8) && join(&r, &e);
	int i, fd;

	if (!ok)
		return false;
	raw_put(&r, e.page, "0123456789", 10);
	e.page->rx.wants_space = 1;
	e.page->tx.wants_data = 1;
	for (i = 0; i < 100; i++)
		setsockopt(e.fd, IPPROTO_TCP, TCP_NODELAY, &(int){ i % 2 }, sizeof(int));
	ok = r.k->held_back;
	fd = raw_close(&r);
	ok = ok && raw_wait("! dmmpolicy stack show | grep -q '^raw@'") && got(&e) == 10 && got(&e) == -ECONNRESET;
	close(e.fd);
	return raw_given_back(fd) && ok;
}

/* The first that poll() says but that it can send, asked without end. */
static void *first_seen(void *arg)
{
	struct pollfd p = { *(const int *)arg, POLLIN | POLLRDHUP, 0 };
	long until = raw_now() + 20000;

	while (!p.revents && raw_now() < until)
		poll(&p, 1, 0);
	return (void *)(uintptr_t)p.revents;
}

/* A reset is seen as a whole. */
static bool test_reset_polled(void)
{
	struct end e = NONE;
	struct dmm_event ev;
	pthread_t thread;
	struct raw r;
	bool ok = begin(&r, 8);
	void *seen = NULL;
	int i;

	for (i = 0; ok && i < 100; i++) {
		ok = join(&r, &e);
		pthread_create(&thread, NULL, first_seen, &e.fd);
		say(&r, &e, DMM_EV_ERROR, -ECONNRESET);
		pthread_join(thread, &seen);
		ok = ok && (uintptr_t)seen == (POLLIN | POLLRDHUP | POLLHUP | POLLERR);
		close(e.fd);
		ok = ok && raw_expect(&r, DMM_EV_CLOSE, &ev) && say(&r, &e, DMM_EV_CLOSED, 0);
	}
	if (!ok)
		ksft_note("round %d: %#lx", i, (unsigned long)(uintptr_t)seen);
	return finish(&r) && ok;
}

static bool asked_to_listen(struct raw *r, int *l, struct dmm_event *ev)
{
	*l = raw_socket(SOCK_STREAM, 300);
	return !raw_bind(*l, PORT) && !listen(*l, 5) && raw_expect(r, DMM_EV_LISTEN, ev) && !raw_answer(r, ev);
}

static struct dmm_event incoming(const struct dmm_event *listener)
{
	struct dmm_event ev = {
		.type = DMM_EV_INCOMING, .conn = listener->conn,
		.open = { .family = AF_INET, .type = SOCK_STREAM, .lport = htons(PORT), .rport = htons(1), .token = 99 },
	};

	memcpy(ev.open.local, MAPPED "\x7f\0\0\1", 16);
	memcpy(ev.open.remote, MAPPED "\x7f\0\0\2", 16);
	return ev;
}

static bool accepts(struct raw *r, int l, const struct dmm_event *listener)
{
	struct dmm_event ev = incoming(listener);
	int fd;

	if (raw_tell(r, &ev) || !raw_expect(r, DMM_EV_ACCEPT, &ev) || ev.answer.token != 99)
		return false;
	fd = accept(l, NULL, NULL);
	close(fd);
	return fd >= 0 && raw_expect(r, DMM_EV_CLOSE, &ev) &&
	       !raw_tell(r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
}

/* Connections that cannot be. */
static bool test_incoming(void)
{
	struct dmm_event listener, ev, odd[7];
	struct raw r;
	bool ok = begin(&r, 8);
	size_t i;
	int l = -1;

	ok = ok && asked_to_listen(&r, &l, &listener) && accepts(&r, l, &listener);
	for (i = 0; i < 7; i++)
		odd[i] = incoming(&listener);
	odd[0].open.type = SOCK_DGRAM;
	odd[1].open.family = 0;
	odd[2].open.lport = 0;
	odd[3].open.rport = 0;
	odd[4].open.remote[11] = 0;
	/* The next two could be, but nobody listens there. */
	odd[5].open.family = AF_INET6;
	odd[5].open.local[0] = odd[5].open.remote[0] = 0x20;
	odd[6].conn += 1ull << 32;
	for (i = 0; ok && i < 7; i++) {
		ok = !raw_tell(&r, &odd[i]) && raw_quiet(&r) == (i < 5);
		if (ok && i >= 5)
			ok = raw_take(&r, &ev) && ev.type == DMM_EV_REFUSE && ev.value == -ECONNREFUSED && ev.answer.token == 99;
	}
	ok = ok && accepts(&r, l, &listener);
	close(l);
	return finish(&r) && ok;
}

/* Pairs: with one that does not listen, itself, twice; and when there is no place for the other end. */
static bool test_pairs(void)
{
	struct dmm_event listener, ev;
	struct end e = NONE, other = NONE;
	struct raw r;
	bool ok = begin(&r, 3);
	int l = -1;

	ok = ok && asked_to_listen(&r, &l, &listener) && join(&r, &other);
	ok = ok && ask(&r, &e, &ev);
	ev.type = DMM_EV_PAIR;
	memcpy(ev.open.local, MAPPED "\x7f\0\0\1", 16);
	ev.open.lport = htons(50001);
	ev.open.token = listener.conn;
	/* Listener, this one and the other are all that there may be. */
	ok = ok && !raw_tell(&r, &ev);
	set_nonblock(e.fd, true);
	ok = ok && poll(&(struct pollfd){ e.fd, POLLOUT, 0 }, 1, 20000) == 1 && raw_connect(e.fd, PORT) && errno != EALREADY;
	ok = ok && works(&r, &other) && !raw_tell(&r, &ev);
	close(e.fd);
	ok = ok && accepts(&r, l, &listener);
	/* With itself, and with one that does not listen: refused. */
	ok = ok && ask(&r, &e, &ev);
	ev.type = DMM_EV_PAIR;
	ev.open.lport = htons(50001);
	ev.open.token = other.conn;
	ok = ok && !raw_tell(&r, &ev) && !raw_tell(&r, &ev);
	set_nonblock(e.fd, true);
	ok = ok && poll(&(struct pollfd){ e.fd, POLLOUT, 0 }, 1, 20000) == 1;
	ok = ok && raw_connect(e.fd, PORT) && errno == ECONNREFUSED && works(&r, &other) && accepts(&r, l, &listener);
	close(e.fd);
	close(other.fd);
	close(l);
	return finish(&r) && ok;
}

/* What has been sent is known from the tail, also when nobody sends any more. */
static bool test_linger(void)
{
	struct linger linger = { 1, 100 };
	struct dmm_event ev;
	struct end e = NONE;
	struct raw r;
	bool ok = begin(&r, 8) && join(&r, &e) && send(e.fd, "0123456789", 10, 0) == 10;
	int n = -1;
	long from;

	if (!ok)
		return false;
	setsockopt(e.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	ok = !ioctl(e.fd, SIOCOUTQ, &n) && n == 10;
	e.page->tx.tail = 4;
	ok = ok && !ioctl(e.fd, SIOCOUTQ, &n) && n == 6;
	e.page->tx.tail = 10;
	ok = ok && !ioctl(e.fd, SIOCOUTQ, &n) && n == 0;
	from = raw_now();
	close(e.fd);
	ok = ok && raw_now() - from < 50000 && raw_expect(&r, DMM_EV_CLOSE, &ev) && !ev.flags;
	return finish(&r) && ok;
}

/* A successor is told of data, though its predecessor was, in an event that it did not take. */
static bool test_successor(void)
{
	struct dmm_takeover t = { 0 };
	struct dmm_event ev;
	struct end e = NONE;
	struct raw r;
	bool ok = begin(&r, 8) && join(&r, &e);
	int i;

	if (!ok)
		return false;
	for (i = 0; i < 20; i++)
		setsockopt(e.fd, IPPROTO_TCP, TCP_NODELAY, &(int){ i % 2 }, sizeof(int));
	e.page->tx.wants_data = 1;
	e.page->rx.wants_space = 1;
	raw_put(&r, e.page, "abc", 3);
	ok = send(e.fd, "x", 1, 0) == 1 && got(&e) == 3;
	ok = ok && !ioctl(r.fd, DMM_IOC_TAKEOVER, &t) && raw_expect(&r, DMM_EV_RESUME, &ev) && ev.conn == e.conn && raw_quiet(&r);
	raw_put(&r, e.page, "def", 3);
	ok = ok && send(e.fd, "y", 1, 0) == 1 && raw_expect(&r, DMM_EV_TX_DATA, &ev);
	ok = ok && got(&e) == 3 && raw_expect(&r, DMM_EV_RX_SPACE, &ev);
	close(e.fd);
	return finish(&r) && ok;
}

/* Connects that are given up while they are paired: who accepts one hears of its end in any case. */
#define GIVE_UPS 300

static void *give_up(void *arg)
{
	unsigned int i, pause = 0;
	int fd;

	for (i = 0; i < GIVE_UPS / ksft_rounds_div(); i++) {
		fd = raw_socket(SOCK_STREAM, 20000);
		set_nonblock(fd, true);
		raw_connect(fd, PORT + 1);
		pause = (pause * 5 + 77) % 400;
		usleep(pause);
		close(fd);
	}
	__atomic_store_n(&quit, true, __ATOMIC_RELAXED);
	return arg;
}

static bool test_give_up(void)
{
	pthread_t threads[3];
	unsigned int i, nr = 0, turns = 0;
	bool ok = true, last = false;
	pid_t pid = raw_start("dmm-loop", "loop");
	int l = -1, fd, n;
	char c;

	quit = false;
	for (i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, give_up, NULL);
	while (ok && !last) {
		last = __atomic_load_n(&quit, __ATOMIC_RELAXED);
		/* Now and then with all that wait. */
		if (!(turns++ % 16)) {
			close(l);
			l = raw_socket(SOCK_STREAM, 10);
			ok = !raw_bind(l, PORT + 1) && !listen(l, 1);
		}
		fd = accept(l, NULL, NULL);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 60, 0 }, sizeof(struct timeval));
		nr++;
		n = recv(fd, &c, 1, 0);
		ok = !n || (n < 0 && errno == ECONNRESET);
		if (!ok)
			ksft_note("accepted: %s", n < 0 ? strerror(errno) : "bytes");
		close(fd);
	}
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	close(l);
	ksft_note("%u of %u were accepted", nr, 3 * GIVE_UPS / ksft_rounds_div());
	raw_stop(pid);
	return ok;
}

static const struct raw_test tests[] = {
	{ "errors that are none", test_errors },
	{ "events that do not fit", test_order },
	{ "events of another queue's connections", test_queues },
	{ "an answer before the question", test_early },
	{ "event rings that make no sense: all hear of it", test_broken },
	{ "words of a receive ring", test_rx },
	{ "where a receive ring has moved to", test_start },
	{ "words that are the kernel's", test_kernels_words },
	{ "words of a send ring", test_tx },
	{ "heads of datagrams", test_datagrams },
	{ "datagrams for others without end", test_flood },
	{ "bytes that are read after the daemon's death", test_last_bytes },
	{ "a reset, to who polls meanwhile", test_reset_polled },
	{ "connections that cannot be", test_incoming },
	{ "pairs that cannot be", test_pairs },
	{ "what is not sent yet", test_linger },
	{ "what a successor is told", test_successor },
	{ "connects that are given up while they are accepted", test_give_up },
};

int main(void)
{
	raw_begin();
	raw_run("dmmpolicy rule add prio 4 dport %u stack loop && dmmpolicy rule add prio 4 sport %u stack loop && "
		"dmmpolicy rule add prio 5 stack raw strict", PORT + 1, PORT + 1);
	raw_finish(tests, sizeof(tests) / sizeof(*tests), NULL);
}
