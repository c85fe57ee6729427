// SPDX-License-Identifier: Apache-2.0
/*
 * What local connections cost: the kernel's TCP, AF_UNIX and pipes beside DMM sockets that loop has paired, and such that
 * template serves, whose daemon copies all bytes.
 *
 * Unlike in sockets.c the two ends are two processes, which sleep while they wait for each other: with one processor
 * what the clock shows is all that the two, the daemon and the kernel do.
 *
 * Prints a line for each case, fields separated by tabs: name, then for each kind the median of nanoseconds per operation
 * (bytes, or switches to the daemon, where the name says so), and the median over the rounds of its ratio to TCP.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/dmm.h>

#define MESSAGE		64
#define PIECE		65536
#define NR_MEMORY	4000	/* connections to divide memory by */
#define NR_IDLE		10000
#define IDLE_SECONDS	10

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* One end of a connection: what to read from, and what to write to. */
struct end {
	int in;
	int out;
};

enum { TCP, UNIX, PIPE, LOOP, TEMPLATE, NR_KINDS };

static struct kind {
	int family;
	const char *const daemon[4];
	uint16_t port;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_un un;
	} addr;
	socklen_t addrlen;
	int listener;
	pid_t pid;		/* of the daemon */
	struct end echo;	/* to a process that sends back what it gets */
	struct end sink;	/* to one that takes it */
} kinds[NR_KINDS] = {
	[TCP] = { .family = AF_INET, .port = 7000 },
	[UNIX] = { .family = AF_UNIX },
	[PIPE] = { .family = AF_UNSPEC },
	[LOOP] = { .family = AF_DMM, .port = 7001, .daemon = { "dmm-loop", "--arena", "128" } },
	[TEMPLATE] = { .family = AF_DMM, .port = 7002, .daemon = { "dmm-template" } },
};

/* Connections. */

static void set_address(struct kind *k)
{
	if (k->family == AF_UNIX) {
		k->addr.un = (struct sockaddr_un){ .sun_family = AF_UNIX, .sun_path = "\0dmm-bench" };
		k->addrlen = sizeof(k->addr.un);
	} else {
		k->addr.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(k->port) };
		k->addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		k->addrlen = sizeof(k->addr.in);
	}
}

static void open_listener(struct kind *k)
{
	if (!k->family)
		return;
	set_address(k);
	k->listener = must("socket", socket(k->family, SOCK_STREAM, 0));
	must("bind", bind(k->listener, &k->addr.sa, k->addrlen));
	must("listen", listen(k->listener, 16));
}

static void open_pipes(struct end *client, struct end *server)
{
	int there[2], back[2];

	must("pipe", pipe(there));
	must("pipe", pipe(back));
	*client = (struct end){ back[0], there[1] };
	*server = (struct end){ there[0], back[1] };
}

static void open_ends(const struct kind *k, struct end *client, struct end *server)
{
	if (!k->family) {
		open_pipes(client, server);
		return;
	}
	client->in = client->out = must("socket", socket(k->family, SOCK_STREAM, 0));
	must("connect", connect(client->in, &k->addr.sa, k->addrlen));
	server->in = server->out = must("accept", accept(k->listener, NULL, NULL));
}

static void close_end(const struct end *e)
{
	close(e->in);
	if (e->out != e->in)
		close(e->out);
}

/* Bytes. */

static char buf[PIECE];

static void write_all(int fd, size_t len)
{
	ssize_t n;

	for (; len; len -= n)
		n = must("write", write(fd, buf, len));
}

static void read_all(int fd, size_t len)
{
	ssize_t n;

	for (; len; len -= n) {
		n = must("read", read(fd, buf, len));
		if (!n)
			errx(1, "read: end of file");
	}
}

/* Until the other end is gone. */
static void echo(const struct end *e)
{
	ssize_t n;

	while ((n = must("read", read(e->in, buf, sizeof(buf)))))
		write_all(e->out, n);
}

/* Take as many pieces as the number before them says, and say when they are all there. */
static void take(const struct end *e)
{
	uint32_t nr;

	while (must("read", read(e->in, &nr, sizeof(nr)))) {
		while (nr--)
			read_all(e->in, PIECE);
		write_all(e->out, 1);
	}
}

static struct end serve(const struct kind *k, void (*fn)(const struct end *e))
{
	struct end client, server;
	pid_t pid;

	open_ends(k, &client, &server);
	pid = must("fork", fork());
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_end(&client);
		fn(&server);
		_exit(0);
	}
	close_end(&server);
	return client;
}

/* What is measured. */

static uint64_t ping_pong(unsigned int kind, unsigned int nr, void *arg)
{
	const struct end *e = &kinds[kind].echo;
	uint64_t start = now();

	(void)arg;
	while (nr--) {
		write_all(e->out, MESSAGE);
		read_all(e->in, MESSAGE);
	}
	return now() - start;
}

static uint64_t stream(unsigned int kind, unsigned int nr, void *arg)
{
	const struct end *e = &kinds[kind].sink;
	uint32_t pieces = nr;
	uint64_t start = now();

	(void)arg;
	memcpy(buf, &pieces, sizeof(pieces));
	write_all(e->out, sizeof(pieces));
	while (nr--)
		write_all(e->out, PIECE);
	read_all(e->in, 1);
	return now() - start;
}

static uint64_t life(unsigned int kind, unsigned int nr, void *arg)
{
	uint64_t start = now();
	struct end client, server;

	(void)arg;
	while (nr--) {
		open_ends(&kinds[kind], &client, &server);
		close_end(&client);
		close_end(&server);
	}
	return now() - start;
}

/* Memory. */

/* The sum of the numbers that follow these names at the beginning of lines. */
static uint64_t read_numbers(const char *path, const char *names[])
{
	FILE *f = fopen(path, "r");
	uint64_t value, sum = 0;
	char line[256], *text;

	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		text = line + strspn(line, " ");
		for (int i = 0; names[i]; i++)
			if (!strncmp(text, names[i], strlen(names[i])) &&
			    sscanf(text + strlen(names[i]), "%*[: \t]%lu", &value) == 1)
				sum += value;
	}
	fclose(f);
	return sum;
}

static void write_file(const char *path, const char *text)
{
	int fd = must(path, open(path, O_WRONLY));

	must(path, write(fd, text, strlen(text)));
	close(fd);
}

/*
 * What the kernel and nobody else has, after all that was put off is freed and each processor has told what it counted:
 * the rest but for pages that are free, in a zone or at a processor, or a process's.
 */
static int64_t pages_used(void)
{
	static const char *rest[] = { "pages free", "count", "nr_zone_active_anon", "nr_zone_inactive_anon", NULL };

	sleep(3);
	write_file("/proc/sys/vm/drop_caches", "3");
	write_file("/proc/sys/vm/stat_refresh", "1");
	return -(int64_t)read_numbers("/proc/zoneinfo", rest);
}

static struct end (*open_many(unsigned int kind, unsigned int nr))[2]
{
	struct end (*ends)[2] = calloc(nr, sizeof(*ends));

	for (unsigned int i = 0; i < nr; i++)
		open_ends(&kinds[kind], &ends[i][0], &ends[i][1]);
	return ends;
}

static void close_many(struct end (*ends)[2], unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		close_end(&ends[i][0]);
		close_end(&ends[i][1]);
	}
	free(ends);
}

/* A message there and one back, and nothing is on its way any more. */
static void use(struct end ends[2])
{
	for (int i = 0; i < 2; i++) {
		write_all(ends[i].out, MESSAGE);
		read_all(ends[!i].in, MESSAGE);
	}
}

static uint64_t memory(unsigned int kind, unsigned int nr, void *arg)
{
	const bool *used = arg;
	int64_t before = pages_used(), after;
	struct end (*ends)[2] = open_many(kind, nr);

	for (unsigned int i = 0; *used && i < nr; i++)
		use(ends[i]);
	after = pages_used();
	close_many(ends, nr);
	return (after - before) * sysconf(_SC_PAGESIZE);
}

/* Idleness. */

static uint64_t switches(const struct kind *k)
{
	static const char *names[] = { "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches", NULL };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", k->pid);
	return read_numbers(path, names);
}

/* How often a daemon runs while nothing happens on many connections. */
static void idle(const char *name)
{
	struct end (*ends)[2] = open_many(LOOP, NR_IDLE);
	uint64_t before;

	sleep(2);
	before = switches(&kinds[LOOP]);
	sleep(IDLE_SECONDS);
	printf("%s\t-\t-\t-\t-\t-\t-\t%lu\t-\t-\t-\n", name, switches(&kinds[LOOP]) - before);
	fflush(stdout);
	close_many(ends, NR_IDLE);
}

/* The daemons. */

static void shell(const char *command)
{
	if (system(command))
		errx(1, "%s: failed", command);
}

static void start_daemon(struct kind *k)
{
	char command[128];
	const char *stack = strchr(*k->daemon, '-') + 1;

	k->pid = must("fork", fork());
	if (!k->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(*k->daemon, (char **)k->daemon);
		err(127, "%s", *k->daemon);
	}
	snprintf(command, sizeof(command), "until dmmpolicy stack show | grep -q '^%s@'; do sleep 0.1; done", stack);
	shell(command);
	snprintf(command, sizeof(command), "dmmpolicy rule add connect tcp dport %u stack %s strict", k->port, stack);
	shell(command);
	snprintf(command, sizeof(command), "dmmpolicy rule add listen tcp sport %u stack %s", k->port, stack);
	shell(command);
}

int main(int argc, char **argv)
{
	unsigned int rounds = rounds_of(argc, argv);
	struct rlimit files = { 4 * NR_IDLE, 4 * NR_IDLE };
	struct kind *k;

	must("setrlimit", setrlimit(RLIMIT_NOFILE, &files));
	for (k = kinds; k < kinds + NR_KINDS; k++) {
		if (*k->daemon)
			start_daemon(k);
		open_listener(k);
		k->echo = serve(k, echo);
		k->sink = serve(k, take);
	}
	measure("ping-pong, 64 bytes", NR_KINDS, rounds, 500, ping_pong, NULL);
	measure("stream, 64 KB", NR_KINDS, rounds, 200, stream, NULL);
	measure("socket + connect + accept + close", NR_KINDS, rounds, 40, life, NULL);
	measure("bytes per idle connection, unused", NR_KINDS, 1, NR_MEMORY, memory, &(bool){ false });
	measure("bytes per idle connection, used", NR_KINDS, 1, NR_MEMORY, memory, &(bool){ true });
	idle("switches to the daemon in 10 s, 10 000 idle connections");
	return 0;
}
