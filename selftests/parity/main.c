// SPDX-License-Identifier: GPL-2.0-only
/*
 * timeout: 1800
 *
 * parity [OPTION]... [PATTERN...]: run the scenarios whose names match, print KTAP.
 *	-d: datagram sockets of DMM and of AF_INET do not reach each other
 *	-e FILE: those in FILE have to differ, and no others (differ.c)
 *	-n: stay in the caller's network namespace, with its policy
 *	-p: AF_INET against AF_INET: tests that the scenarios repeat; needs no module
 *	-v: print what AF_INET does
 *	-x PATTERN: without those
 */
#include "parity.h"
#include "differ.h"
#include "kselftest.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SCENARIO_MS	30000

struct run run;

static const struct scenario *const tables[] = {
	create_scenarios, dmm_scenarios, address_scenarios, connect_scenarios, poll_scenarios,
	fd_scenarios, data_scenarios, fastopen_scenarios, close_scenarios, signal_scenarios,
	ioctl_scenarios, option_scenarios, dgram_scenarios, uring_scenarios, visible_scenarios,
	bpf_scenarios, tls_scenarios, storm_scenarios,
};

static bool plain_only, verbose, stay, dgram_apart;
static const char *without = "";

/* A network namespace of our own, in which everything is at its defaults. */
static void enter_netns(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		ksft_note("a network namespace needs root: %s", strerror(errno));
		exit(KSFT_FAIL);
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0) {
		ksft_note("lo: %s", strerror(errno));
		exit(KSFT_FAIL);
	}
	close(fd);
}

static void kill_after(int pid, int ms)
{
	struct pollfd p = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (poll(&p, 1, ms) == 0) {
		trace->failed = true;
		see("hangs: no end after %d ms", ms);
	}
	close(p.fd);
	kill(-pid, SIGKILL);
}

/* Run a scenario as the given variant, in a process group of its own, into t. */
static void run_one(const struct scenario *s, const struct run *r, struct trace *t)
{
	int status, pid;

	trace = t;
	memset(t, 0, offsetof(struct trace, text) + 1);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		cpu_set_t cpu;

		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CPU_ZERO(&cpu);
		CPU_SET(sched_getcpu(), &cpu);
		if (!(s->flags & MANY_CPUS))
			sched_setaffinity(0, sizeof(cpu), &cpu);
		run = *r;
		s->fn();
		_exit(0);
	}
	setpgid(pid, pid);
	kill_after(pid, (r->hasty ? SCENARIO_MS / 10 : SCENARIO_MS) * ksft_time_scale());
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		see("killed: %s", strsignal(WTERMSIG(status)));
}

static const char *show_run(const struct run *r)
{
	static const char *const ways[] = { "AF_INET", "AF_DMM", "IPPROTO_DMM" };
	static char text[128];

	snprintf(text, sizeof(text), "IPv%d, client %s, server %s, %s",
		 r->family == AF_INET ? 4 : 6, ways[r->client], ways[r->server],
		 r->nonblock ? "non-blocking" : "blocking");
	return text;
}

static const char *next_line(const char *line, int *len)
{
	*len = strcspn(line, "\n");
	return line + *len + !!line[*len];
}

/* The first lines in which two traces differ, with the last one in which they agree. */
static void show_difference(const char *want, const char *got)
{
	const char *last = "", *w, *g;
	int wl, gl, ll = 0, shown = 0;

	while ((*want || *got) && shown < 6) {
		w = next_line(want, &wl);
		g = next_line(got, &gl);
		if (wl != gl || memcmp(want, got, wl)) {
			if (!shown++)
				printf("#     after    %.*s\n", ll, last);
			printf("#     AF_INET  %.*s\n", wl, want);
			printf("#     here     %.*s\n", gl, got);
		}
		last = want;
		ll = wl;
		want = w;
		got = g;
	}
}

/* Is the variant's trace what it should be? The first few that are not are shown, none if *shown is negative. */
static bool compare(const struct run *r, const struct trace *want, const struct trace *got,
		    int *shown)
{
	if (!got->failed && want->len == got->len && !memcmp(want->text, got->text, got->len) &&
	    !strcmp(want->skip, got->skip))
		return true;
	if (*shown < 0)
		return false;
	printf("# %s\n", show_run(r));
	if (++*shown > 2)
		return false;
	if (got->skip[0])
		printf("#     gave up: %s\n", got->skip);
	if (got->failed)
		printf("#     ...%s", got->text + (got->len > 400 ? got->len - 400 : 0));
	show_difference(want->text, got->text);
	return false;
}

/* All DMM variants of one scenario that have this family and mode, against one run of AF_INET. */
static bool run_variants(const struct scenario *s, struct run r, struct trace *want,
			 struct trace *got, int *shown)
{
	static const struct {
		bool client, server;
	} roles[] = { { true, true }, { true, false }, { false, true } };
	int last_way = s->flags & DGRAM ? FAMILY : PROTOCOL;
	bool ok = true;
	int way, role, last_role;

	/* AF_INET has its time. */
	r.hasty = false;

	if (!(s->flags & ONLY_DMM)) {
		run_one(s, &r, want);
		if (want->failed)
			return compare(&r, want, want, shown);
		if (want->skip[0])
			return true;
		if (verbose)
			printf("# %s\n%s", show_run(&r), want->text);
	}
	r.hasty = *shown < 0;
	for (way = FAMILY; way <= last_way; way++) {
		/* The two ways differ in the socket's creation only, the roles in all that follows. */
		last_role = way == PROTOCOL || s->flags & (ONE_ROLE | ONLY_DMM) ||
			    (s->flags & DGRAM && dgram_apart) ? 0 : 2;
		for (role = 0; role <= last_role; role++) {
			r.client = roles[role].client && !plain_only ? way : PLAIN;
			r.server = roles[role].server && !plain_only ? way : PLAIN;
			run_one(s, &r, got);
			if (s->flags & ONLY_DMM) {
				strcpy(want->skip, got->skip);
				want->len = got->len;
				memcpy(want->text, got->text, got->len + 1);
			}
			ok &= compare(&r, want, got, shown);
			/* One that is known to differ has done so. */
			if (!ok && *shown < 0)
				return false;
		}
	}
	return ok;
}

/* @differs: it is expected to, in one variant at least. */
static bool run_scenario(const struct scenario *s, int af_dmm, bool differs, struct trace *want,
			 struct trace *got)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct run r = { .af_dmm = af_dmm };
	bool ok = true;
	size_t f;
	int mode, shown = differs && !verbose ? -1 : 0;

	want->skip[0] = 0;
	for (f = 0; f < ARRAY_SIZE(families); f++) {
		r.family = families[f];
		if (s->flags & (r.family == AF_INET ? V6_ONLY : V4_ONLY))
			continue;
		for (mode = 0; mode <= !(s->flags & ONE_MODE) && !want->skip[0]; mode++) {
			if (!ok && shown < 0)
				return false;
			r.nonblock = mode;
			ok &= run_variants(s, r, want, got, &shown);
		}
	}
	return ok;
}

static bool wanted(const struct scenario *s, char **patterns)
{
	if ((plain_only && s->flags & ONLY_DMM) || !fnmatch(without, s->name, 0))
		return false;
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, s->name, 0))
			return true;
	return false;
}

static int count(char **patterns)
{
	const struct scenario *s;
	size_t t;
	int n = 0;

	for (t = 0; t < ARRAY_SIZE(tables); t++)
		for (s = tables[t]; s->name; s++)
			n += wanted(s, patterns);
	return n;
}

/* A file is closed a little after its last user has gone. */
static bool refcount_is(int want)
{
	int ms;

	for (ms = 0; ms < 5000 * (int)ksft_time_scale(); ms++) {
		if (ksft_read_number("/sys/module/dmm/refcnt") == want)
			return true;
		usleep(1000);
	}
	return false;
}

static bool exists(const char *pattern)
{
	const struct scenario *s;
	size_t t;

	for (t = 0; t < ARRAY_SIZE(tables); t++)
		for (s = tables[t]; s->name; s++)
			if (!fnmatch(pattern, s->name, 0))
				return true;
	return false;
}

static void report(bool ok, const char *name, const char *skipped)
{
	if (ok && *skipped)
		ksft_skip(name, skipped);
	else
		ksft_result(ok, "%s", name);
}

static void report_known(bool differs, const char *name, const char *reason, const char *skipped)
{
	if (!differs && *skipped)
		ksft_skip(name, skipped);
	else if (differs)
		ksft_result(true, "%s differs: %s", name, reason);
	else
		ksft_result(false, "%s agrees, and is expected to differ: %s", name, reason);
}

static void run_and_report(const struct scenario *s, int af_dmm, struct trace *t)
{
	const char *reason = differ_reason(s->name);
	bool ok = run_scenario(s, af_dmm, reason, &t[0], &t[1]);

	if (reason)
		report_known(!ok, s->name, reason, t[0].skip);
	else
		report(ok, s->name, t[0].skip);
}

static void load_known(const char *path)
{
	const char *name;

	if (!differ_load(path)) {
		ksft_note("%s: not there, or a line without a reason", path);
		exit(KSFT_FAIL);
	}
	name = differ_unknown(exists);
	if (name) {
		ksft_note("%s: no scenario %s", path, name);
		exit(KSFT_FAIL);
	}
}

/*
 * The kernel patches its own code when the first socket wants time stamps, and when the last such socket goes. Emulated
 * processors can run into what is patched just then (an oops by int3): with this one open, no case is the first or the last.
 */
static void keep_timestamps(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on));
	fcntl(fd, F_DUPFD_CLOEXEC, 500);
	close(fd);
}

int main(int argc, char **argv)
{
	struct trace *t = mmap(NULL, 2 * sizeof(*t), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	const struct scenario *s;
	int opt, af_dmm, refs;
	size_t i;

	if (argc > 1 && !strcmp(argv[1], EXEC_HELPER))
		return exec_helper(argv + 2);
	while ((opt = getopt(argc, argv, "de:npvx:")) != -1) {
		if (opt == '?')
			return 2;
		if (opt == 'e')
			load_known(optarg);
		if (opt == 'x')
			without = optarg;
		dgram_apart |= opt == 'd';
		stay |= opt == 'n';
		plain_only |= opt == 'p';
		verbose |= opt == 'v';
	}
	ksft_header();
	af_dmm = ksft_read_number("/sys/module/dmm/parameters/af");
	if (af_dmm < 0 && !plain_only)
		ksft_skip_all("dmm.ko is not loaded");
	keep_timestamps();
	if (!stay)
		enter_netns();
	refs = ksft_read_number("/sys/module/dmm/refcnt");
	ksft_plan(count(argv + optind) + !plain_only);
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (s = tables[i]; s->name; s++) {
			if (wanted(s, argv + optind))
				run_and_report(s, af_dmm, t);
		}
	}
	if (!plain_only)
		report(refcount_is(refs), "module.refcount", "");
	ksft_finish();
}
