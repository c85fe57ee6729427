// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_isolation: who owns an instance reaches the sockets of the namespaces that it serves, and no others; not those of
 * other instances, nor their memory, nor the kernel's.
 */
#include "kselftest.h"
#include "raw.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARENA	(256u << 10)
#define PORT	7400
#define SECRET	"for your eyes only, whoever you are"

/* Namespaces: ours, of which the instance is, and another one. */
static int here, there;

static void go(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		ksft_note("setns: %s", strerror(errno));
}

static bool share(const char *verb)
{
	bool ok;

	go(here);
	ok = raw_run("dmmpolicy stack %s raw@0 netns /proc/%d/fd/%d", verb, getpid(), there);
	go(there);
	return ok;
}

/* A socket of the other namespace. */
static int socket_there(int type)
{
	int fd;

	go(there);
	fd = raw_socket(type, 300);
	return fd;
}

static bool begins(int fd)
{
	bool ok;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	ok = raw_connect(fd, PORT) == -1 && errno == EINPROGRESS;
	fcntl(fd, F_SETFL, 0);
	return ok;
}

static bool begin(struct raw *r, const char *name)
{
	struct dmm_register reg = raw_register(name, ARENA, 32);

	return !raw_open(r, &reg);
}

static bool closed(struct raw *r, uint64_t *conn)
{
	struct dmm_event ev;

	if (!raw_expect(r, DMM_EV_CLOSE, &ev))
		return false;
	if (conn)
		*conn = ev.conn;
	return !raw_tell(r, &(struct dmm_event){ .type = DMM_EV_CLOSED, .conn = ev.conn });
}

static bool works(struct raw *r, int fd, const struct dmm_event *asked)
{
	struct dmm_page *page = raw_page(r, asked->open.page);
	char buf[8];

	raw_put(r, page, "abc", 3);
	raw_tell(r, &(struct dmm_event){ .type = DMM_EV_RX_DATA, .conn = asked->conn });
	return recv(fd, buf, sizeof(buf), 0) == 3 && !memcmp(buf, "abc", 3) && send(fd, "x", 1, 0) == 1;
}

/* Before it is shared, while it is, and after that. */
static bool test_share(void)
{
	struct dmm_event listen_ev, ev, live;
	struct raw r;
	int l, fd, refused;
	uint64_t conn = 0;
	bool ok;

	go(here);
	ok = begin(&r, "raw");
	l = socket_there(SOCK_STREAM);
	fd = socket_there(SOCK_STREAM);
	ok = ok && !raw_bind(l, PORT) && !listen(l, 5);
	/* It exists, but not there. */
	ok = ok && raw_connect(fd, PORT) == -1 && !raw_enter(&r, 0) && raw_quiet(&r) &&
	     !raw_run("dmmpolicy stack show | grep '^raw@'");
	ok = ok && share("share") && raw_expect(&r, DMM_EV_LISTEN, &listen_ev) && listen_ev.open.netns && !raw_answer(&r, &listen_ev);
	ok = ok && begins(fd) && raw_expect(&r, DMM_EV_CONNECT, &live) && live.open.netns == listen_ev.open.netns &&
	     !raw_answer(&r, &live) && works(&r, fd, &live);
	/* What there is goes on, and nothing new comes. */
	ok = ok && share("unshare") && closed(&r, &conn) && conn == listen_ev.conn && works(&r, fd, &live);
	refused = socket_there(SOCK_STREAM);
	ok = ok && raw_connect(refused, PORT) == -1 && !raw_enter(&r, 0) && raw_quiet(&r);
	close(refused);
	refused = socket_there(SOCK_DGRAM);
	ok = ok && raw_connect(refused, PORT) == -1 && !raw_enter(&r, 0) && raw_quiet(&r);
	close(refused);
	/* It cannot bring connections to a listener that it has lost. */
	ev = (struct dmm_event){
		.type = DMM_EV_INCOMING, .conn = listen_ev.conn, .open = live.open,
	};
	ev.open.lport = ev.open.rport = htons(PORT);
	memcpy(ev.open.local, ev.open.remote, 16);
	ok = ok && !raw_tell(&r, &ev) && raw_expect(&r, DMM_EV_REFUSE, &ev) && ev.value == -ECONNREFUSED;
	ok = ok && poll(&(struct pollfd){ l, POLLIN, 0 }, 1, 0) == 0;
	/* And again. */
	ok = ok && share("share") && raw_expect(&r, DMM_EV_LISTEN, &listen_ev) && works(&r, fd, &live);
	close(fd);
	ok = ok && closed(&r, NULL);
	close(l);
	ok = ok && closed(&r, NULL);
	return raw_given_back(raw_close(&r)) && ok;
}

/* The other namespace ends while it is shared. */
static bool test_end(void)
{
	struct dmm_event ev;
	int last = there, fd;
	struct raw r;
	bool ok;

	go(here);
	ok = begin(&r, "raw");
	there = unshare(CLONE_NEWNET) ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ok = ok && raw_run("ip link set lo up && dmmpolicy rule add prio 5 stack raw strict") && share("share");
	fd = socket_there(SOCK_STREAM);
	ok = ok && begins(fd) && raw_expect(&r, DMM_EV_CONNECT, &ev) && !raw_answer(&r, &ev) && works(&r, fd, &ev);
	go(here);
	close(there);
	there = last;
	/* The socket keeps it. */
	ok = ok && works(&r, fd, &ev);
	close(fd);
	ok = ok && closed(&r, NULL) && !raw_enter(&r, 0);
	fd = raw_socket(SOCK_STREAM, 300);
	ok = ok && begins(fd) && raw_expect(&r, DMM_EV_CONNECT, &ev) && !ev.open.netns && !raw_answer(&r, &ev) && works(&r, fd, &ev);
	close(fd);
	return raw_given_back(raw_close(&r)) && ok;
}

static bool contains(const void *mem, size_t len, const char *text)
{
	return memmem(mem, len, text, strlen(text));
}

/* Another instance, which says what it likes of connections that are not its own. */
static bool test_others(void)
{
	static const unsigned int types[] = {
		DMM_EV_CONNECTED, DMM_EV_EOF, DMM_EV_ERROR, DMM_EV_CLOSED, DMM_EV_PAIR, DMM_EV_RX_FULL, DMM_EV_INCOMING,
	};
	struct dmm_event victim, listener, ev;
	struct raw good, evil;
	int fd, l, mine;
	unsigned int i;
	bool ok;

	go(here);
	ok = begin(&good, "raw") && begin(&evil, "evil");
	l = raw_socket(SOCK_STREAM, 300);
	ok = ok && !raw_bind(l, PORT) && !listen(l, 5) && raw_expect(&good, DMM_EV_LISTEN, &listener) && !raw_answer(&good, &listener);
	fd = raw_socket(SOCK_STREAM, 300);
	ok = ok && begins(fd) && raw_expect(&good, DMM_EV_CONNECT, &victim) && !raw_answer(&good, &victim);
	/* It has one of its own, with the same number and page. */
	mine = raw_socket(SOCK_DGRAM, 300);
	ok = ok && raw_connect(mine, PORT + 1) == 0 && raw_expect(&evil, DMM_EV_BIND, &ev) && !raw_answer(&evil, &ev);
	ok = ok && send(fd, SECRET, sizeof(SECRET), 0) == sizeof(SECRET);
	for (i = 0; ok && i < sizeof(types) / sizeof(*types); i++) {
		ev = victim;
		ev.type = types[i];
		ev.value = -EPIPE;
		if (ev.type == DMM_EV_PAIR)
			ev.open.token = listener.conn;
		if (ev.type == DMM_EV_INCOMING)
			ev.conn = listener.conn;
		memcpy(ev.open.local, ev.open.remote, 16);
		ev.open.lport = htons(1);
		ok = !raw_tell(&evil, &ev) && works(&good, fd, &victim);
	}
	ok = ok && poll(&(struct pollfd){ l, POLLIN, 0 }, 1, 0) == 0;
	/* The secret is where it belongs. */
	ok = ok && contains(good.arena, ARENA, SECRET) && !contains(evil.arena, ARENA, SECRET) &&
	     !contains(evil.k, evil.reg.kernel_len, SECRET) && !contains(evil.s, evil.reg.stack_len, SECRET);
	close(mine);
	close(fd);
	close(l);
	ok = raw_given_back(raw_close(&evil)) && ok;
	return raw_given_back(raw_close(&good)) && ok;
}

static bool is_zero(const void *mem, size_t len)
{
	const uint8_t *p = mem;

	while (len--)
		if (*p++)
			return false;
	return true;
}

/* Memory of the kernel's that a daemon maps is new each time, and that of a connection is as its first one's. */
static bool test_memory(void)
{
	struct dmm_register reg = raw_register("raw", ARENA, 32);
	struct dmm_page *page;
	struct dmm_event ev;
	struct raw r;
	unsigned int i;
	bool ok = true;
	int fd;

	go(here);
	reg.nr_events = 4096;
	for (i = 0; ok && i < 20; i++) {
		ok = !raw_open(&r, &reg) && is_zero(r.k, r.reg.kernel_len) && is_zero(r.s, r.reg.stack_len);
		memset(r.s->up, 0xa5, r.reg.nr_events * sizeof(*r.s->up));
		fd = raw_socket(SOCK_STREAM, 300);
		ok = ok && begins(fd) && raw_expect(&r, DMM_EV_CONNECT, &ev);
		/* Nothing but what the header says. */
		page = raw_page(&r, ev.open.page);
		ok = ok && !page->tx.head && !page->rx.tail && page->tx.piece[0].size == sizeof(page->tx_bytes) &&
		     is_zero(page->reserved, sizeof(page->reserved)) && is_zero(page->tx_bytes, sizeof(page->tx_bytes)) &&
		     is_zero(&page->metrics, sizeof(page->metrics)) && is_zero(ev.bytes + offsetof(struct dmm_open, reserved), 2);
		close(fd);
		close(raw_close(&r));
	}
	/* The next connection has the page of the one before, but not what was said there. */
	ok = ok && begin(&r, "raw");
	for (i = 0; ok && i < 200; i++) {
		fd = raw_socket(SOCK_STREAM, 300);
		ok = begins(fd) && raw_expect(&r, DMM_EV_CONNECT, &ev);
		page = raw_page(&r, ev.open.page);
		ok = ok && !page->rx.head && !page->tx.tail && !page->rx.epoch && is_zero(page->reserved, sizeof(page->reserved));
		memset(page, 0x5a, sizeof(*page));
		close(fd);
		ok = ok && closed(&r, NULL);
	}
	return raw_given_back(raw_close(&r)) && ok;
}

static const struct raw_test tests[] = {
	{ "a namespace that is shared, and is not any more", test_share },
	{ "a namespace that ends", test_end },
	{ "connections and memory of another instance", test_others },
	{ "memory that is new", test_memory },
};

int main(void)
{
	raw_begin();
	here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	raw_run("dmmpolicy rule add prio 4 connect udp stack evil strict && dmmpolicy rule add prio 5 stack raw strict");
	raw_netns();
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	raw_run("dmmpolicy rule add prio 5 connect stack raw strict && dmmpolicy rule add prio 5 listen stack raw");
	raw_finish(tests, sizeof(tests) / sizeof(*tests), NULL);
}
