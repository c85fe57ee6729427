// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack-cases: run the cases on real sockets.  The policy that sends them to a
 * stack is there already: see conformance.
 *
 *	stack-cases [-s STACK] [-4 ADDRESS] [-6 ADDRESS] [-u ADDRESS] [-p PORT] [-x stream|dgram|inet6]...
 */
#include <arpa/inet.h>
#include <unistd.h>

#include "kselftest.h"
#include "cases.h"

static unsigned int passed, failed, skipped;

static void report(const char *name, const char *wanted, int code)
{
	passed += !wanted;
	failed += !!wanted;
	if (!ksft_result(!wanted, "%s", name))
		ksft_note("expected: %s (%d)", wanted, code);
}

static void skip(const char *name, const char *reason)
{
	skipped++;
	ksft_skip(name, reason);
}

static bool parse(struct net *n, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:4:6:u:p:x:")) != -1) {
		if (c == 's')
			n->stack = optarg;
		else if (c == '4' && inet_pton(AF_INET, optarg, &n->v4) == 1)
			continue;
		else if (c == '6' && inet_pton(AF_INET6, optarg, &n->v6) == 1)
			continue;
		else if (c == 'u' && inet_pton(AF_INET, optarg, &n->silent) == 1)
			continue;
		else if (c == 'p')
			n->port = atoi(optarg);
		else if (c == 'x' && !strcmp(optarg, "stream"))
			n->stream = false;
		else if (c == 'x' && !strcmp(optarg, "dgram"))
			n->dgram = false;
		else if (c == 'x' && !strcmp(optarg, "inet6"))
			n->inet6 = false;
		else
			return false;
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct net n = {
		.ops = &kernel_sockets,
		.v4.s_addr = htonl(INADDR_LOOPBACK),
		.v6 = IN6ADDR_LOOPBACK_INIT,
		.stream = true,
		.dgram = true,
		.inet6 = true,
		.port = 20000,
		.report = report,
		.skip = skip,
	};

	if (!parse(&n, argc, argv))
		return 2;
	ksft_header();
	ksft_plan(cases_count());
	cases_run(&n);
	ksft_note("%s: %u passed, %u failed, %u skipped", n.stack ? n.stack : "any stack", passed,
		  failed, skipped);
	ksft_finish();
}
