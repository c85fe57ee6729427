// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack_queues: a stack of four queues with a thread each, and connections on all of them whose ends are on different ones.
 * Bytes are checked while successors take over; and what applications see when it is killed.
 */
#include "kselftest.h"
#include "raw.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT		7300
#define PAIRS		8
#define PATIENCE	60000	/* milliseconds */
#define TURN		32768	/* bytes each way, then another connection */
#define OFFER		"/tmp/stack-queues.offer"
#define STATS		"/tmp/stack-queues.stats"

/* A client and its server: of each end what it has sent and got. */
struct pair {
	int fd[2];
	unsigned int sent[2], got[2];
	unsigned int seed;
};

/* What the process that makes traffic tells. */
static struct {
	unsigned long turns[PAIRS];
	unsigned long datagrams;
	int stop;
	char failed[128];
} *shared;

static unsigned char byte_at(const struct pair *p, int end, unsigned int n)
{
	return (p->seed + end * 7 + n) * 2654435761u >> 24;
}

static bool fail(const char *what)
{
	if (!shared->failed[0])
		snprintf(shared->failed, sizeof(shared->failed), "%s: %s", what, strerror(errno));
	return false;
}

static bool join(struct pair *p, int listener)
{
	int c = raw_socket(SOCK_STREAM, PATIENCE), s;

	if (raw_connect(c, PORT))
		return fail("connect");
	s = accept(listener, NULL, NULL);
	if (s < 0)
		return fail("accept");
	*p = (struct pair){ .fd = { c, s }, .seed = p->seed + 1 };
	for (int i = 0; i < 2; i++)
		fcntl(p->fd[i], F_SETFL, O_NONBLOCK);
	return true;
}

static bool send_some(struct pair *p, int end)
{
	unsigned char buf[5000];
	unsigned int len = 1 + (p->seed + p->sent[end]) * 2246822519u % sizeof(buf);
	ssize_t n;

	if (len > TURN - p->sent[end])
		len = TURN - p->sent[end];
	if (!len)
		return true;
	for (unsigned int i = 0; i < len; i++)
		buf[i] = byte_at(p, end, p->sent[end] + i);
	n = send(p->fd[end], buf, len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		return fail("send");
	p->sent[end] += n > 0 ? n : 0;
	return true;
}

static bool receive_some(struct pair *p, int end)
{
	unsigned char buf[8192];
	ssize_t n = recv(p->fd[end], buf, sizeof(buf), 0);

	if (!n || (n < 0 && errno != EAGAIN))
		return fail(n ? "receive" : "an early end");
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] != byte_at(p, !end, p->got[end] + i))
			return fail("other bytes");
	p->got[end] += n > 0 ? n : 0;
	return true;
}

static bool move(struct pair *p)
{
	return send_some(p, 0) && send_some(p, 1) && receive_some(p, 0) && receive_some(p, 1);
}

/* The server hears of the end. */
static bool part(struct pair *p)
{
	char c;

	close(p->fd[0]);
	fcntl(p->fd[1], F_SETFL, 0);
	if (recv(p->fd[1], &c, 1, 0))
		return fail("an end of file");
	close(p->fd[1]);
	return true;
}

static bool post(int from, int to)
{
	unsigned long n = shared->datagrams, got = 0;

	if (send(from, &n, sizeof(n), 0) != sizeof(n) || recv(to, &got, sizeof(got), 0) != sizeof(got) || got != n)
		return fail("a datagram");
	shared->datagrams++;
	return true;
}

/* Until there is something to do for somebody. */
static void rest(const struct pair *pairs)
{
	struct pollfd p[2 * PAIRS];

	for (int i = 0; i < 2 * PAIRS; i++)
		p[i] = (struct pollfd){ pairs[i / 2].fd[i % 2],
					POLLIN | (pairs[i / 2].sent[i % 2] < TURN ? POLLOUT : 0), 0 };
	poll(p, 2 * PAIRS, 100);
}

static bool turn(struct pair *pairs, int listener)
{
	for (int i = 0; i < PAIRS; i++) {
		struct pair *p = &pairs[i];

		if (!move(p))
			return false;
		if (p->got[0] < TURN || p->got[1] < TURN)
			continue;
		if (!part(p) || !join(p, listener))
			return false;
		shared->turns[i]++;
	}
	return true;
}

static int make_traffic(void)
{
	int listener = raw_socket(SOCK_STREAM, PATIENCE), to = raw_socket(SOCK_DGRAM, PATIENCE),
	    from = raw_socket(SOCK_DGRAM, PATIENCE);
	struct pair pairs[PAIRS] = { 0 };
	bool ok = !raw_bind(listener, PORT) && !listen(listener, PAIRS) && !raw_bind(to, PORT) && !raw_connect(from, PORT);

	for (int i = 0; ok && i < PAIRS; i++)
		ok = join(&pairs[i], listener);
	while (ok && !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		ok = turn(pairs, listener) && post(from, to);
		rest(pairs);
	}
	return ok ? 0 : 1;
}

/* Each pair, and the datagrams, have gone on by so many turns. */
static bool goes_on(pid_t traffic, unsigned int turns)
{
	long end = raw_now() + PATIENCE * ksft_time_scale();
	unsigned long before[PAIRS], datagrams = shared->datagrams;
	int i = 0;

	memcpy(before, shared->turns, sizeof(before));
	while (i < PAIRS && raw_now() < end && !waitpid(traffic, NULL, WNOHANG)) {
		if (__atomic_load_n(&shared->turns[i], __ATOMIC_RELAXED) >= before[i] + turns)
			i++;
		else
			usleep(10000);
	}
	if (i < PAIRS)
		ksft_note("pair %d: %lu turns, then %s", i, shared->turns[i], shared->failed);
	return i == PAIRS && __atomic_load_n(&shared->datagrams, __ATOMIC_RELAXED) > datagrams;
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (!pid) {
		if (!freopen(STATS, "a", stdout))
			_exit(1);
		execlp("stack-queues", "stack-queues", "-t", OFFER, NULL);
		_exit(127);
	}
	return pid;
}

/* It has the instance. */
static bool serves(pid_t pid)
{
	return raw_wait("dmmpolicy stack show | grep -q '^queues@0 pid %d '", pid);
}

static bool ended_well(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid && !status;
}

static bool replaced(pid_t *stack, pid_t traffic)
{
	pid_t next = start();
	/* A turn may have been almost over: the second one is all its own. */
	bool ok = ended_well(*stack) && serves(next) && goes_on(traffic, 2);

	*stack = next;
	return ok;
}

/* Connects that nobody answers: of sockets that took turns over the queues. */
static bool killed(pid_t stack)
{
	int l = raw_socket(SOCK_STREAM, PATIENCE), fd[2 * PAIRS];
	bool ok = !raw_bind(l, PORT + 1) && !listen(l, PAIRS);
	char c;

	for (int i = 0; ok && i < PAIRS; i++) {
		fd[2 * i] = raw_socket(SOCK_STREAM, PATIENCE);
		ok = !raw_connect(fd[2 * i], PORT + 1);
		fd[2 * i + 1] = ok ? accept(l, NULL, NULL) : -1;
		ok = ok && fd[2 * i + 1] >= 0;
	}
	raw_stop(stack);
	for (int i = 0; ok && i < 2 * PAIRS; i++)
		ok = recv(fd[i], &c, 1, 0) < 0 && errno == ECONNRESET && !close(fd[i]);
	close(l);
	return ok;
}

int main(void)
{
	pid_t stack, traffic;
	unsigned int i, rounds = 1 / ksft_rounds_div() + 1;
	bool ok = true;

	raw_begin();
	ksft_plan(8);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unlink(STATS);
	stack = start();
	ksft_result(raw_run("dmmpolicy rule add prio 5 stack queues strict") && serves(stack), "a stack of four queues");
	traffic = fork();
	if (!traffic)
		_exit(make_traffic());
	ksft_result(goes_on(traffic, 2), "bytes and datagrams between its queues");
	ksft_result(raw_run("test $(dmmss -m -a | grep -o 'q[0-9],rx' | sort -u | wc -l) = 4"),
		    "sockets are on all of them");
	for (i = 0; ok && i < rounds; i++)
		ok = replaced(&stack, traffic);
	ksft_result(ok, "%u successors take over", rounds);
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	if (!ksft_result(ended_well(traffic), "and nothing was lost"))
		ksft_note("%s", shared->failed);
	if (!ksft_result(raw_run("! grep -v 'down [0-9][0-9].* up [0-9][0-9].* bad 0$' " STATS
				 " && test $(wc -l <" STATS ") = %u", 4 * rounds), "each queue of each has had its part"))
		raw_run("sed 's/^/# /' " STATS);
	ksft_result(killed(stack), "all connections are reset when it is killed");
	raw_run("dmmpolicy flush all");
	unlink(OFFER);
	ksft_result(raw_unused(), "nothing is left");
	ksft_finish();
}
