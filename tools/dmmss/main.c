// SPDX-License-Identifier: Apache-2.0
/* dmmss: sockets, the stack that serves each, and why. */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dmmss.h"

enum { EXIT_OK = 0, EXIT_USAGE = 1, EXIT_KERNEL = 2 };

enum { SHOW_CONNECTED, SHOW_LISTENING, SHOW_ALL };

struct run {
	struct options options;
	int show;
	bool recent;
	bool summary;
	bool tcp;
	bool udp;
	bool inet;
	bool inet6;
	const char *netns;
	struct entries entries;
	struct holders holders;
	struct dmm_counters decisions;
};

static void usage(FILE *f)
{
	fputs("usage: dmmss [-t] [-u] [-l | -a] [-r] [-4] [-6] [-i] [-m] [-p] [-n] [-H] [-j]\n"
	      "             [-N NETNS]\n"
	      "       dmmss -s [-t] [-u] [-4] [-6] [-j] [-N NETNS]\n"
	      "       dmmss -V | -h\n"
	      "  -t, --tcp        TCP sockets\n"
	      "  -u, --udp        UDP sockets (both without -t and -u)\n"
	      "  -l, --listening  listening and unconnected sockets\n"
	      "  -a, --all        these and connected ones\n"
	      "  -r, --recent     decisions on sockets that are gone, too\n"
	      "  -4, --ipv4       IPv4 sockets\n"
	      "  -6, --ipv6       IPv6 sockets (both without -4 and -6)\n"
	      "  -i, --info       what is known of TCP connections\n"
	      "  -m, --memory     queue and rings of sockets on user stacks\n"
	      "  -p, --processes  processes that have the socket\n"
	      "  -n, --numeric    port numbers instead of names\n"
	      "  -H, --no-header  no header line\n"
	      "  -j, --json       JSON\n"
	      "  -s, --summary    totals per stack and per reason\n"
	      "  -N, --net NETNS  in this network namespace\n"
	      "  -V, --version    version\n"
	      "  -h, --help       this text\n", f);
}

static const struct option long_options[] = {
	{ "tcp", no_argument, NULL, 't' },
	{ "udp", no_argument, NULL, 'u' },
	{ "listening", no_argument, NULL, 'l' },
	{ "all", no_argument, NULL, 'a' },
	{ "recent", no_argument, NULL, 'r' },
	{ "ipv4", no_argument, NULL, '4' },
	{ "ipv6", no_argument, NULL, '6' },
	{ "info", no_argument, NULL, 'i' },
	{ "memory", no_argument, NULL, 'm' },
	{ "processes", no_argument, NULL, 'p' },
	{ "numeric", no_argument, NULL, 'n' },
	{ "no-header", no_argument, NULL, 'H' },
	{ "json", no_argument, NULL, 'j' },
	{ "summary", no_argument, NULL, 's' },
	{ "net", required_argument, NULL, 'N' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static bool parse_option(struct run *r, int c)
{
	switch (c) {
	case 't':
		r->tcp = true;
		break;
	case 'u':
		r->udp = true;
		break;
	case 'l':
		r->show = SHOW_LISTENING;
		break;
	case 'a':
		r->show = SHOW_ALL;
		break;
	case 'r':
		r->recent = true;
		break;
	case '4':
		r->inet = true;
		break;
	case '6':
		r->inet6 = true;
		break;
	case 'i':
		r->options.info = true;
		break;
	case 'm':
		r->options.rings = true;
		break;
	case 'p':
		r->options.processes = true;
		break;
	case 'n':
		r->options.numeric = true;
		break;
	case 'H':
		r->options.header = false;
		break;
	case 'j':
		r->options.json = true;
		break;
	case 's':
		r->summary = true;
		break;
	case 'N':
		r->netns = optarg;
		break;
	default:
		return false;
	}
	return true;
}

/* Each pair of filters that is not given lets all through. */
static void complete_filters(struct run *r)
{
	if (!r->tcp && !r->udp)
		r->tcp = r->udp = true;
	if (!r->inet && !r->inet6)
		r->inet = r->inet6 = true;
	if (r->summary)
		r->show = SHOW_ALL;
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "dmmss: %s: %s\n", what, strerror(-err));
	return EXIT_KERNEL;
}

static int take_stat(void *arg, const struct dmm_object *obj)
{
	struct dmm_counters *c = arg;

	*c = obj->stat->reasons;
	return 0;
}

static int read_module(struct run *r)
{
	struct dmm_client *client;
	int err = dmm_open(&client);

	if (err == -ENOPROTOOPT) {
		fprintf(stderr, "dmmss: the module dmm is not loaded\n");
		return EXIT_KERNEL;
	}
	if (err)
		return fail("netlink", err);
	err = entries_read(&r->entries, client);
	if (!err)
		err = dmm_get(client, DMM_CMD_STAT_GET, NULL, take_stat, &r->decisions);
	dmm_close(client);
	return err ? fail("cannot read decisions", err) : EXIT_OK;
}

/* A kernel without IPv6, say, has nothing to list there. */
static int read_diag(struct run *r, int family, int type)
{
	int err = diag_read(&r->entries, family, type);

	return err && err != -ENOENT ? fail("cannot list sockets", err) : EXIT_OK;
}

static int read_sockets(struct run *r)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int ret = EXIT_OK;

	for (int i = 0; i < 2 && ret == EXIT_OK; i++) {
		ret = read_diag(r, families[i], SOCK_STREAM);
		if (ret == EXIT_OK)
			ret = read_diag(r, families[i], SOCK_DGRAM);
	}
	return ret;
}

static bool is_listening(const struct entry *s)
{
	return s->state == TCP_LISTEN || s->state == TCP_CLOSE;
}

static bool wanted(const struct run *r, const struct entry *s)
{
	if (!(s->type == SOCK_STREAM ? r->tcp : r->udp) ||
	    !(s->family == AF_INET ? r->inet : r->inet6))
		return false;
	if (!s->live && !s->held)
		return r->recent;
	return r->show == SHOW_ALL || is_listening(s) == (r->show == SHOW_LISTENING);
}

/* By age of the socket: cookies count up. */
static int entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

static void select_entries(struct run *r)
{
	struct entries *e = &r->entries;
	size_t n = 0;

	for (size_t i = 0; i < e->nr; i++)
		if (wanted(r, &e->v[i]))
			e->v[n++] = e->v[i];
	e->nr = n;
	if (n)
		qsort(e->v, n, sizeof(*e->v), entry_cmp);
}

static int run(struct run *r)
{
	int err, ret;

	complete_filters(r);
	err = r->netns ? dmm_netns_enter(r->netns) : 0;
	if (err)
		return fail(r->netns, err);
	ret = read_module(r);
	if (ret == EXIT_OK)
		ret = read_sockets(r);
	if (ret != EXIT_OK)
		return ret;
	select_entries(r);
	if (r->options.processes)
		holders_read(&r->holders);
	if (r->summary)
		print_summary(&r->entries, &r->decisions, &r->options);
	else if (r->options.json)
		print_json(&r->entries, &r->holders);
	else
		print_table(&r->entries, &r->holders, &r->options);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	struct run r = { .options.header = true };
	int c, ret;

	while ((c = getopt_long(argc, argv, "tular46impnHjsN:Vh", long_options, NULL)) != -1) {
		if (c == 'V' || c == 'h') {
			if (c == 'V')
				printf("dmmss %s\n", DMM_VERSION);
			else
				usage(stdout);
			return EXIT_OK;
		}
		if (!parse_option(&r, c)) {
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	ret = run(&r);
	entries_free(&r.entries);
	holders_free(&r.holders);
	if (fflush(stdout) || ferror(stdout))
		ret = EXIT_USAGE;
	return ret;
}
