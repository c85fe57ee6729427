// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_hostile [-s SEED] [-r ROUNDS]
 *
 * A daemon registers, again and again, and does what no daemon should: it says things that make no sense, of connections that
 * are there and that are not, and a second thread of it writes into words that the kernel looks at. Meanwhile applications use
 * sockets on it, and others use sockets on honest stacks. The kernel survives; no call on the hostile daemon's sockets takes
 * longer than it may, or returns an error that applications do not know; and on the others not a byte is wrong.
 *
 * A round is the life of one daemon. What it does follows from the seed, not so when it does it.
 */
#include "kselftest.h"
#include "raw.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>

#define ROUNDS		24
#define TURNS		100	/* of a daemon */
#define APPS		4
#define CONNS		24
#define ARENA		(512u << 10)
#define PORT		7100	/* and the ones after it: on the hostile stack */
#define CHUNK		40000	/* bytes that honest ones exchange on a connection, in each direction */

static const struct {
	const char *program, *name;
	unsigned int port;
} honest[] = {
	{ "dmm-template", "honest", 7001 }, { "dmm-loop", "loop", 7002 },
};

/* What processes say to each other. */
static struct shared {
	bool stop;
	struct {
		long alive;		/* when it began its last call */
		const char *call;
		unsigned int calls, connected, accepted, datagrams;
		int odd;		/* an error that is none */
	} app[APPS];
	struct {
		unsigned long bytes;
		unsigned int wrong;
	} pair[2];
	unsigned int lives, broken, told;
} *shared;

static bool stopped(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

/* xorshift64* */
static uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull >> 16;
}

static unsigned int below(uint64_t *state, unsigned int n)
{
	return next(state) % n;
}

/* The hostile daemon. */

/* What it may do in one life: with all at once, it would not get far. */
enum mood { ANSWERS = 1, LIES = 2, PAGES = 4, INDICES = 8, NOISE = 16 };

static const unsigned int moods[] = {
	ANSWERS | LIES, ANSWERS | PAGES, ANSWERS | LIES | PAGES, ANSWERS | NOISE, NOISE, ANSWERS | LIES | PAGES | INDICES,
	ANSWERS | INDICES, ANSWERS | LIES | PAGES | NOISE | INDICES,
};

#define MOODS (sizeof(moods) / sizeof(*moods))
#define KNOWN 32

struct daemon {
	struct raw r;
	uint64_t rand;
	unsigned int mood;
	/* What it was told of, oldest overwritten. */
	struct dmm_event known[KNOWN];
	unsigned int nr_known;
	uint64_t token;
	bool quit;
};

static uint32_t odd_word(uint64_t *rand, uint32_t now)
{
	static const uint32_t words[] = { 0, 1, ~0u, 1u << 31, 4096, 2048, 1024, DMM_RING_MAX };

	switch (below(rand, 4)) {
	case 0:
		return next(rand);
	case 1:
		return words[below(rand, 8)];
	case 2:
		return now + below(rand, 5000) - 2500;
	default:
		return now ^ 1u << below(rand, 32);
	}
}

static struct dmm_event *any_known(struct daemon *d, uint64_t *rand)
{
	unsigned int nr = d->nr_known < KNOWN ? d->nr_known : KNOWN;

	return nr ? &d->known[below(rand, nr)] : NULL;
}

static uint32_t page_of(const struct dmm_event *ev)
{
	return ev->type == DMM_EV_ACCEPT ? ev->answer.page : ev->open.page;
}

/* A page of one that it knows, or one of others, or of nobody. */
static struct dmm_page *any_page(struct daemon *d, uint64_t *rand)
{
	const struct dmm_event *ev = any_known(d, rand);
	uint32_t nr = ev && below(rand, 8) ? page_of(ev) : below(rand, ARENA / DMM_PAGE_SIZE);

	return raw_page(&d->r, nr % (ARENA / DMM_PAGE_SIZE));
}

static void spoil_ring(struct dmm_ring *ring, uint64_t *rand)
{
	uint32_t *const words[] = {
		&ring->head, &ring->tail, &ring->epoch, &ring->start, &ring->wants_space, &ring->wants_data,
		&ring->piece[0].size, &ring->piece[1].size, (uint32_t *)&ring->piece[0].offset, (uint32_t *)&ring->piece[1].offset,
	};
	uint32_t *word = words[below(rand, 10)];

	__atomic_store_n(word, odd_word(rand, *word), __ATOMIC_RELAXED);
}

/* Something that an application can take, or a datagram, torn or whole. */
static void fill_ring(struct daemon *d, struct dmm_page *page)
{
	struct dmm_datagram gram = { .len = below(&d->rand, 300), .family = AF_INET, .port = htons(9) };
	uint32_t head = page->rx.head, room = 2048 - (head - page->rx.tail);

	memcpy(gram.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
	if (!below(&d->rand, 3))
		((uint8_t *)&gram)[below(&d->rand, 32)] = next(&d->rand);
	if (page->rx.epoch || room > 2048)
		return;
	memcpy(&page->rx_bytes[head % 1984 / 64 * 64], &gram, sizeof(gram));
	head += below(&d->rand, 2) ? (64 + gram.len + 63) / 64 * 64 : below(&d->rand, room + 1);
	__atomic_store_n(&page->rx.head, head, __ATOMIC_RELEASE);
}

/* Take what an application sent. */
static void drain_ring(struct dmm_page *page)
{
	__atomic_store_n(&page->tx.tail, page->tx.head, __ATOMIC_RELEASE);
}

static void touch_page(struct daemon *d, uint64_t *rand)
{
	struct dmm_page *page = any_page(d, rand);

	switch (below(rand, 8)) {
	case 0:
	case 1:
		spoil_ring(&page->tx, rand);
		break;
	case 2:
	case 3:
		spoil_ring(&page->rx, rand);
		break;
	case 4:
		((uint32_t *)page)[below(rand, DMM_PAGE_SIZE / 4)] = next(rand);
		break;
	default:
		drain_ring(page);
	}
}

static void touch_indices(struct daemon *d, uint64_t *rand)
{
	uint32_t *const words[] = { &d->r.s->up_head, &d->r.s->down_tail, &d->r.s->polls };
	uint32_t *word = words[below(rand, 3)];

	if (below(rand, 64))
		*word = *word + below(rand, 3) - 1;
	else
		*word = odd_word(rand, *word);
}

/* Ends that could be, with something wrong now and then. */
static void fill_open(struct daemon *d, struct dmm_open *open)
{
	*open = (struct dmm_open){
		.family = AF_INET, .type = SOCK_STREAM, .lport = htons(PORT + below(&d->rand, APPS)), .rport = htons(1 + next(&d->rand)),
		.token = d->token++,
	};
	memcpy(open->local, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
	memcpy(open->remote, open->local, 16);
	if (!below(&d->rand, 4))
		((uint8_t *)open)[below(&d->rand, sizeof(*open))] ^= 1 << below(&d->rand, 8);
}

/* The name of one that is there, was there, or might be. */
static uint64_t any_name(struct daemon *d)
{
	const struct dmm_event *ev = any_known(d, &d->rand);
	uint64_t name = ev ? ev->conn : 0;

	switch (below(&d->rand, 10)) {
	case 0:
		return name + (1ull << 32);
	case 1:
		return name ^ below(&d->rand, CONNS);
	case 2:
		return next(&d->rand);
	default:
		return name;
	}
}

static int any_value(struct daemon *d)
{
	static const int values[] = { 0, -ECONNRESET, -EAGAIN, -512, -529, -4096, 1, 1 << 20, -133, -ECONNREFUSED, INT32_MIN, INT32_MAX };

	return values[below(&d->rand, 12)];
}

/* One event of any type, of anybody, at any time. */
static void lie(struct daemon *d)
{
	struct dmm_event ev = { .flags = below(&d->rand, 8) ? 0 : next(&d->rand), .conn = any_name(d), .value = any_value(d) };

	ev.type = below(&d->rand, 16) ? DMM_EV_CONNECTED + below(&d->rand, 10) : next(&d->rand) % 70;
	fill_open(d, &ev.open);
	if (ev.type == DMM_EV_PAIR && below(&d->rand, 4))
		ev.open.token = any_name(d);
	raw_say(&d->r, &ev);
	if (!below(&d->rand, 8))
		raw_say(&d->r, &ev);
}

static void make_noise(struct daemon *d)
{
	struct dmm_event ev;
	size_t i;

	for (i = 0; i < sizeof(ev); i += 4)
		*(uint32_t *)((char *)&ev + i) = next(&d->rand);
	if (below(&d->rand, 2))
		ev.conn = any_name(d);
	if (below(&d->rand, 2))
		ev.type = below(&d->rand, 48);
	raw_say(&d->r, &ev);
}

/* What an honest one would say, but not always. */
static void answer(struct daemon *d, const struct dmm_event *asked)
{
	struct dmm_event ev = { .conn = asked->conn, .open = asked->open };

	switch (asked->type) {
	case DMM_EV_CONNECT:
	case DMM_EV_BIND:
		ev.type = below(&d->rand, 8) ? DMM_EV_CONNECTED : DMM_EV_ERROR;
		ev.value = -ECONNREFUSED;
		ev.open.lport = htons(1 + below(&d->rand, 60000));
		memcpy(ev.open.local, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
		break;
	case DMM_EV_LISTEN:
		ev.type = DMM_EV_LISTENING;
		raw_say(&d->r, &ev);
		ev.type = DMM_EV_INCOMING;
		fill_open(d, &ev.open);
		break;
	case DMM_EV_CLOSE:
		ev.type = DMM_EV_CLOSED;
		break;
	case DMM_EV_ACCEPT:
	case DMM_EV_TX_DATA:
		ev.type = below(&d->rand, 2) ? DMM_EV_RX_DATA : DMM_EV_RX_FULL;
		break;
	default:
		return;
	}
	if (below(&d->rand, 16))
		raw_say(&d->r, &ev);
}

static void note_known(struct daemon *d, const struct dmm_event *ev)
{
	if (ev->type == DMM_EV_CONNECT || ev->type == DMM_EV_LISTEN || ev->type == DMM_EV_BIND || ev->type == DMM_EV_ACCEPT)
		d->known[d->nr_known++ % KNOWN] = *ev;
}

static void turn(struct daemon *d)
{
	struct dmm_event ev;
	unsigned int n;

	/* Sometimes it does not listen. */
	for (n = below(&d->rand, 10) * 4; n && raw_take(&d->r, &ev); n--) {
		shared->told++;
		note_known(d, &ev);
		if (d->mood & ANSWERS)
			answer(d, &ev);
	}
	for (n = below(&d->rand, 4); n && d->mood & LIES; n--)
		lie(d);
	for (n = below(&d->rand, 4); n && d->mood & NOISE; n--)
		make_noise(d);
	for (n = below(&d->rand, 4); n && d->nr_known; n--)
		fill_ring(d, any_page(d, &d->rand));
	for (n = below(&d->rand, 4); n && d->mood & PAGES; n--)
		touch_page(d, &d->rand);
	if (d->mood & INDICES && !below(&d->rand, 8))
		touch_indices(d, &d->rand);
}

/* Words that change between two looks of the kernel. */
static void *scribble(void *arg)
{
	struct daemon *d = arg;
	uint64_t rand = d->rand ^ 0x5555;

	while (!__atomic_load_n(&d->quit, __ATOMIC_RELAXED)) {
		if (d->mood & PAGES)
			touch_page(d, &rand);
		if (d->mood & INDICES && !below(&rand, 20000))
			touch_indices(d, &rand);
		if (d->mood & NOISE)
			((uint32_t *)d->r.s->up)[below(&rand, d->r.reg.nr_events * sizeof(struct dmm_event) / 4)] = next(&rand);
		/* Others want to run, too. */
		if (!below(&rand, 16))
			usleep(50);
	}
	return NULL;
}

static int live(uint64_t seed, unsigned int round)
{
	struct dmm_register reg = raw_register("hostile", ARENA, CONNS);
	struct daemon d = { .rand = (seed + 1) * 0x9e3779b97f4a7c15ull + round };
	pthread_t thread;
	unsigned int i;
	int err;

	d.mood = moods[round % MOODS];
	reg.sndbuf = reg.rcvbuf = 16384;
	if (!below(&d.rand, 4))
		reg.features = 0;
	err = raw_open(&d.r, &reg);
	if (err)
		return err;
	d.r.s->polls = 1;
	pthread_create(&thread, NULL, scribble, &d);
	for (i = 0; i < TURNS && !err; i++) {
		turn(&d);
		err = raw_enter(&d.r, 0);
		if (raw_quiet(&d.r))
			usleep(500);
	}
	/* Dead, but here: its sockets must hear of it now, and not when the file is closed. */
	for (i = 0; i < 20 && err == -EIO; i++)
		usleep(5000);
	__atomic_store_n(&d.quit, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	close(raw_close(&d.r));
	shared->lives++;
	shared->broken += err == -EIO;
	return err == -EIO ? 0 : err;
}

static pid_t start_hostile(uint64_t seed, unsigned int rounds)
{
	pid_t pid;
	unsigned int i;
	int err;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	for (i = 0; i < rounds; i++) {
		err = live(seed, i);
		if (err) {
			ksft_note("round %u: %s", i, strerror(-err));
			_exit(1);
		}
	}
	_exit(0);
}

/* Its applications. */

static unsigned int me;

/* Before and after each call. */
static void call(const char *name)
{
	shared->app[me].call = name;
	shared->app[me].calls++;
	__atomic_store_n(&shared->app[me].alive, raw_now(), __ATOMIC_RELEASE);
}

static long check(long ret)
{
	if (ret < 0 && errno > EHWPOISON)
		shared->app[me].odd = errno;
	return ret;
}

#define CALL(fn, ...) (call(#fn), check(fn(__VA_ARGS__)))

static void use(int fd, uint64_t *rand)
{
	static char buf[40000];
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	struct tcp_info info;
	struct sockaddr_in6 name;
	socklen_t len = sizeof(info), size = sizeof(name);
	int n, so_error;

	switch (below(rand, 12)) {
	case 0:
	case 1:
	case 2:
		CALL(write, fd, buf, 1 + below(rand, below(rand, 4) ? 500 : sizeof(buf)));
		break;
	case 3:
	case 4:
	case 5:
		CALL(read, fd, buf, 1 + below(rand, 4000));
		break;
	case 6:
		CALL(recv, fd, buf, 1 + below(rand, 4000), below(rand, 2) ? MSG_PEEK : MSG_TRUNC);
		break;
	case 7:
		CALL(poll, &p, 1, 5);
		break;
	case 8:
		CALL(ioctl, fd, below(rand, 2) ? SIOCINQ : SIOCOUTQ, &n);
		break;
	case 9:
		CALL(getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &len);
		break;
	case 10:
		CALL(getpeername, fd, (struct sockaddr *)&name, &size);
		CALL(setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		break;
	default:
		len = sizeof(so_error);
		CALL(getsockopt, fd, SOL_SOCKET, SO_ERROR, &so_error, &len);
	}
}

static void use_and_close(int fd, uint64_t *rand)
{
	struct linger linger = { below(rand, 2), below(rand, 2) };
	unsigned int n;

	for (n = below(rand, 12); n; n--)
		use(fd, rand);
	if (!below(rand, 3))
		CALL(shutdown, fd, below(rand, 3));
	if (!below(rand, 4))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	CALL(close, fd);
}

static void be_client(uint64_t *rand)
{
	int fd = raw_socket(SOCK_STREAM, 100);
	const struct sockaddr unspec = { .sa_family = AF_UNSPEC };

	if (!CALL(raw_connect, fd, PORT + below(rand, APPS)))
		shared->app[me].connected++;
	if (!below(rand, 16))
		CALL(connect, fd, &unspec, sizeof(unspec));
	use_and_close(fd, rand);
}

static void be_server(uint64_t *rand)
{
	int fd = raw_socket(SOCK_STREAM, 50), one, n;

	if (!CALL(raw_bind, fd, PORT + me) && !CALL(listen, fd, below(rand, 8))) {
		for (n = below(rand, 5); n; n--) {
			one = CALL(accept, fd, NULL, NULL);
			if (one < 0)
				continue;
			shared->app[me].accepted++;
			use_and_close(one, rand);
		}
	}
	CALL(close, fd);
}

static void be_peerless(uint64_t *rand)
{
	int fd = raw_socket(SOCK_DGRAM, 50);

	/* bind() waits for three seconds at most. */
	if (below(rand, 4) ? !CALL(raw_connect, fd, PORT + below(rand, APPS)) : !CALL(raw_bind, fd, PORT + me))
		shared->app[me].datagrams++;
	use_and_close(fd, rand);
}

static pid_t start_app(uint64_t seed, unsigned int nr)
{
	uint64_t rand = (seed + 1) * 0xbf58476d1ce4e5b9ull + nr;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	me = nr;
	while (!stopped()) {
		switch (below(&rand, 5)) {
		case 0:
			be_server(&rand);
			break;
		case 1:
			be_peerless(&rand);
			break;
		default:
			be_client(&rand);
		}
	}
	_exit(0);
}

/* The honest ones. */

static uint8_t byte_at(unsigned int connection, unsigned int i, bool back)
{
	return connection * 31 + i * 7 + (i >> 8) + back * 101;
}

static bool send_all(int fd, unsigned int connection, bool back)
{
	unsigned int done = 0, i;
	uint8_t buf[3000];
	ssize_t n;

	while (done < CHUNK) {
		for (i = 0; i < sizeof(buf); i++)
			buf[i] = byte_at(connection, done + i, back);
		n = send(fd, buf, sizeof(buf) < CHUNK - done ? sizeof(buf) : CHUNK - done, 0);
		if (n <= 0)
			return false;
		done += n;
	}
	return !shutdown(fd, SHUT_WR);
}

static bool receive_all(int fd, unsigned int connection, bool back)
{
	unsigned int done = 0;
	uint8_t buf[3000];
	ssize_t n, i;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		for (i = 0; i < n; i++)
			if (buf[i] != byte_at(connection, done + i, back))
				return false;
		done += n;
	}
	return !n && done == CHUNK;
}

/* The next connection of the child; when that has ended, so do we. */
static int accept_or_end(int l, pid_t child)
{
	struct pollfd p = { l, POLLIN, 0 };
	int status;

	while (!poll(&p, 1, 100))
		if (waitpid(child, &status, WNOHANG) == child)
			_exit(!!status);
	return accept(l, NULL, NULL);
}

/* One listens and accepts, its child connects. */
static pid_t start_pair(unsigned int nr)
{
	unsigned int port = honest[nr].port, i;
	int l, fd;
	pid_t pid;
	bool ok;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	l = raw_socket(SOCK_STREAM, 30000);
	if (raw_bind(l, port) || listen(l, 5))
		_exit(1);
	raw_wait("dmmpolicy stack show | grep '^%s@' | grep -q ' listeners [1-9]'", honest[nr].name);
	pid = fork();
	for (i = 0; pid || !stopped(); i++) {
		if (pid) {
			fd = accept_or_end(l, pid);
			ok = receive_all(fd, i, false) && send_all(fd, i, true);
		} else {
			fd = raw_socket(SOCK_STREAM, 30000);
			ok = !raw_connect(fd, port) && raw_serves(fd, honest[nr].name) && send_all(fd, i, false) &&
			     receive_all(fd, i, true);
		}
		if (!ok) {
			ksft_note("%s, connection %u, %s: %s", honest[nr].name, i, pid ? "accepted" : "connected", strerror(errno));
			shared->pair[nr].wrong++;
			_exit(1);
		}
		shared->pair[nr].bytes += CHUNK;
		close(fd);
		/* Of the time, most is for the hostile one. */
		usleep(20000);
	}
	_exit(0);
}

/* Until it has ended; false if an application hangs meanwhile. */
static bool watch(pid_t hostile, bool *ended_well)
{
	long patience = 30000 * ksft_time_scale(), now;
	unsigned int i;
	int status;

	while (!waitpid(hostile, &status, WNOHANG)) {
		now = raw_now();
		for (i = 0; i < APPS; i++) {
			if (now - __atomic_load_n(&shared->app[i].alive, __ATOMIC_ACQUIRE) < patience)
				continue;
			ksft_note("application %u hangs in %s()", i, shared->app[i].call);
			raw_stop(hostile);
			return false;
		}
		usleep(50000);
	}
	*ended_well = !status;
	return true;
}

static bool end(pid_t pid)
{
	long until = raw_now() + 60000 * ksft_time_scale();
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		if (raw_now() > until) {
			raw_stop(pid);
			return false;
		}
		usleep(10000);
	}
	return !status;
}

static void rules(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		raw_run("dmmpolicy rule add prio 4 connect tcp dport %u stack %s strict && "
			"dmmpolicy rule add prio 4 listen tcp sport %u stack %s", honest[i].port, honest[i].name, honest[i].port,
			honest[i].name);
	raw_run("dmmpolicy rule add prio 5 connect dport %u-%u stack hostile strict timeout 200 && "
		"dmmpolicy rule add prio 5 listen sport %u-%u stack hostile", PORT, PORT + APPS - 1, PORT, PORT + APPS - 1);
}

static bool storm(uint64_t seed, unsigned int rounds)
{
	pid_t hostile, app[APPS], pair[2];
	bool ok, well = false, ended = true;
	unsigned int i, odd = 0, waits = 0;

	for (i = 0; i < APPS; i++)
		shared->app[i].alive = raw_now();
	for (i = 0; i < 2; i++)
		pair[i] = start_pair(i);
	for (i = 0; i < APPS; i++)
		app[i] = start_app(seed, i);
	hostile = start_hostile(seed, rounds);
	ok = watch(hostile, &well);
	/* On a slow machine they may not have come so far. */
	while (ok && !(shared->pair[0].bytes && shared->pair[1].bytes) && waits++ < 6000)
		usleep(10000);
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < APPS; i++)
		ended &= end(app[i]);
	ksft_note("%u lives, of which %u ended in dead rings; %u events", shared->lives, shared->broken, shared->told);
	ksft_result(well, "the hostile daemon lived %u times", rounds);
	ksft_result(ok && ended, "no application hangs");
	for (i = 0; i < APPS; i++) {
		ksft_note("application %u: %u calls, %u connected, %u accepted, %u for datagrams", i, shared->app[i].calls,
			  shared->app[i].connected, shared->app[i].accepted, shared->app[i].datagrams);
		odd += shared->app[i].odd;
	}
	ksft_result(!odd, "no error that applications do not know");
	for (i = 0; i < 2; i++) {
		ok = end(pair[i]);
		ksft_result(ok && !shared->pair[i].wrong && shared->pair[i].bytes, "%s: %lu bytes, all right", honest[i].name,
			    shared->pair[i].bytes);
	}
	return ok;
}

int main(int argc, char **argv)
{
	unsigned int rounds = ROUNDS / ksft_rounds_div(), i;
	uint64_t seed = 1;
	pid_t pids[2];
	int option;

	/* Each mood once. */
	if (rounds < MOODS)
		rounds = MOODS;

	while ((option = getopt(argc, argv, "s:r:")) > 0) {
		if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (option == 'r')
			rounds = atoi(optarg);
		else
			return 2;
	}
	raw_begin();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ksft_plan(6);
	ksft_note("seed %llu, %u rounds", (unsigned long long)seed, rounds);
	rules();
	for (i = 0; i < 2; i++)
		pids[i] = raw_start(honest[i].program, honest[i].name);
	storm(seed, rounds);
	for (i = 0; i < 2; i++)
		raw_stop(pids[i]);
	ksft_result(raw_unused(), "nothing is left");
	ksft_finish();
}
