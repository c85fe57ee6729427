// SPDX-License-Identifier: GPL-2.0-only
/*
 * rdma-fault [-a ADDRESS] [-n CONNECTIONS] [-i] [-c] -e ERRNO -t MILLISECONDS COMMAND
 *
 * What connections say of a fault.  Both their ends are in this process, and bytes go both ways
 * without end, or with -i nothing does.  Then COMMAND makes the fault, and each end, with -c each
 * client's, must have this errno at most so long after COMMAND has returned.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/dmm.h>

#define ENDS_MAX	64
#define BEFORE		(256 << 10)	/* bytes that an end has got before the fault */

struct end {
	int fd;
	unsigned long long got;
	int error;
	long ms;
	bool over;
};

static struct end ends[ENDS_MAX];
static int nr;
static bool idle, clients_only;
static struct sockaddr_in at = { .sin_family = AF_INET };

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int family(void)
{
	FILE *f = fopen("/sys/module/dmm/parameters/af", "re");
	int af = AF_DMM;

	if (f && fscanf(f, "%d", &af) != 1)
		af = AF_DMM;
	if (f)
		fclose(f);
	return af;
}

static int new_socket(void)
{
	int fd = socket(family(), SOCK_STREAM, DMM_PROTO_INET);

	if (fd < 0)
		die("socket");
	return fd;
}

/* The stack's listener is there a moment after listen(), and a device that was down is used by the second attempt. */
static int connect_patiently(void)
{
	for (int i = 0; ; i++) {
		int fd = new_socket();

		if (!connect(fd, (struct sockaddr *)&at, sizeof(at)))
			return fd;
		if ((errno != ECONNREFUSED && errno != ETIMEDOUT && errno != EHOSTUNREACH) || i == 20)
			die("connect");
		close(fd);
		usleep(50000);
	}
}

static void join(int pairs)
{
	int listener = new_socket(), one = 1;
	socklen_t len = sizeof(at);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 64) ||
	    getsockname(listener, (struct sockaddr *)&at, &len))
		die("listen");
	while (nr < 2 * pairs) {
		ends[nr++].fd = connect_patiently();
		ends[nr++].fd = accept(listener, NULL, NULL);
		if (ends[nr - 1].fd < 0)
			die("accept");
	}
	close(listener);
}

static void ended(struct end *e, int error)
{
	e->over = true;
	e->error = error;
	e->ms = now();
}

/* One read and one write, if they do not block. */
static void move(struct end *e)
{
	static char buf[65536];
	ssize_t n = recv(e->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0)
		e->got += n;
	else if (!n || errno != EAGAIN)
		return ended(e, n ? errno : 0);
	if (!idle && send(e->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		ended(e, errno);
}

/* A turn of all ends; false: nothing happened for so long. */
static bool turn(int timeout)
{
	struct pollfd fds[ENDS_MAX];

	for (int i = 0; i < nr; i++)
		fds[i] = (struct pollfd){ ends[i].over ? -1 : ends[i].fd,
					  POLLIN | (idle ? 0 : POLLOUT), 0 };
	if (poll(fds, nr, timeout) <= 0)
		return false;
	for (int i = 0; i < nr; i++)
		if (fds[i].revents)
			move(&ends[i]);
	return true;
}

static bool flowing(void)
{
	for (int i = 0; i < nr; i++) {
		if (ends[i].over) {
			fprintf(stderr, "over before the fault: %s\n", strerror(ends[i].error));
			exit(1);
		}
		if (!idle && ends[i].got < BEFORE)
			return false;
	}
	return true;
}

static bool all_over(void)
{
	for (int i = 0; i < nr; i += clients_only ? 2 : 1)
		if (!ends[i].over)
			return false;
	return true;
}

static bool check(int error, long since, long limit)
{
	bool ok = true, good;

	for (int i = 0; i < nr; i += clients_only ? 2 : 1) {
		const struct end *e = &ends[i];

		good = e->over && e->error == error && e->ms - since <= limit;
		ok &= good;
		if (!good || i < 2)
			printf("%s %d: %s after %ld ms\n", i % 2 ? "server" : "client", i / 2,
			       e->over ? strerror(e->error) : "nothing", e->ms - since);
	}
	return ok;
}

int main(int argc, char **argv)
{
	int opt, error = 0, pairs = 1;
	long since, limit = 0;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((opt = getopt(argc, argv, "+a:n:ice:t:")) != -1) {
		if (opt == 'a' && inet_pton(AF_INET, optarg, &at.sin_addr) == 1)
			continue;
		else if (opt == 'n')
			pairs = atoi(optarg);
		else if (opt == 'i')
			idle = true;
		else if (opt == 'c')
			clients_only = true;
		else if (opt == 'e')
			error = atoi(optarg);
		else if (opt == 't')
			limit = atol(optarg);
		else
			return 2;
	}
	if (optind != argc - 1 || pairs < 1 || pairs > ENDS_MAX / 2)
		return 2;
	join(pairs);
	while (!flowing())
		if (!turn(20000)) {
			fprintf(stderr, "no bytes\n");
			return 1;
		}
	if (system(argv[optind])) {
		fprintf(stderr, "%s: failed\n", argv[optind]);
		return 1;
	}
	since = now();
	while (!all_over() && now() - since < limit + 20000)
		turn(100);
	return !check(error, since, limit);
}
