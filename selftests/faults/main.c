// SPDX-License-Identifier: GPL-2.0-only
/*
 * timeout: 600
 *
 * faults: what happens when memory runs out. Each operation is repeated with its first allocation failing, then its
 * second, until there is none left to fail; so are copies from and to user space. Every time it must either say that
 * it failed, and then the policy is what it was, or have done all that it does without a fault. A failure must not
 * stand in the way of the next attempt, and nothing may be left behind: no socket, no reference to the module. What the
 * kernel's checkers say of all this is for the runner to see.
 *
 * Then everything at once, with some of all allocations failing at random.
 */
#include "faults.h"
#include "inject.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* An operation that has more is no operation. */
#define FAULTS_MAX	2000
#define STORM_ROUNDS	300
#define STORM_PERCENT	3
#define PATIENCE_S	30

struct dnl *nl;
bool answer_lost;

void give_up(const char *what)
{
	ksft_note("%s: %s", what, strerror(errno));
	exit(KSFT_FAIL);
}

/* What an operation that fails does not change. */
struct state {
	uint64_t table;
	uint64_t gen;
};

/* What is left when it is all over. */
struct held {
	uint32_t undecided;
	uint32_t listeners;
	int refs;
};

static struct state get_state(void)
{
	return (struct state){ dnl_fingerprint(nl), dnl_generation(nl) };
}

static bool same_state(const struct state *a, const struct state *b)
{
	return a->table == b->table && a->gen == b->gen;
}

static int module_refs(void)
{
	FILE *f = fopen("/sys/module/dmm/refcnt", "re");
	int refs = -1;

	if (f && fscanf(f, "%d", &refs) != 1)
		refs = -1;
	if (f)
		fclose(f);
	return refs;
}

static struct held get_held(void)
{
	return (struct held){
		dnl_stat(nl, DMM_A_STAT_UNDECIDED), dnl_stat(nl, DMM_A_STAT_LISTENERS), module_refs(),
	};
}

/* Files and namespaces go a little after their last user. */
static bool wait_held(const struct held *want)
{
	time_t end = time(NULL) + PATIENCE_S;
	struct held now;

	do {
		now = get_held();
		if (now.undecided == want->undecided && now.listeners == want->listeners && now.refs == want->refs)
			return true;
		usleep(10000);
	} while (time(NULL) < end);
	ksft_note("left: %u sockets undecided, %u listeners, %d references to the module; were %u, %u, %d", now.undecided,
		  now.listeners, now.refs, want->undecided, want->listeners, want->refs);
	return false;
}

/* What a system call says when there is no memory, or none where it was told to look. */
static bool is_fault(int err)
{
	return err == -ENOMEM || err == -ENOBUFS || err == -ENFILE || err == -EFAULT;
}

/* Of one attempt; shared with the child that makes it. */
struct attempt {
	int err;
	bool injected;
	bool lost;
};

static void attempt(const struct op *op, unsigned int n, struct attempt *a)
{
	inject_nth(n);
	answer_lost = false;
	a->err = op->run();
	a->injected = n && inject_done();
	a->lost = answer_lost;
	inject_nth(0);
}

static void attempt_in_child(const struct op *op, unsigned int n, struct attempt *a)
{
	pid_t pid;
	int status;

	memset(a, 0, sizeof(*a));
	a->err = -ECHILD;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		attempt(op, n, a);
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

struct tally {
	unsigned int refused;
	unsigned int survived;
	unsigned int lost;
};

/* Is what happened with the nth fault as it should be? */
static bool judge(const struct op *op, unsigned int n, const struct attempt *a, const struct state *before,
		  struct tally *tally)
{
	struct attempt again = { 0 };
	struct state after = get_state();

	if (a->lost) {
		tally->lost++;
		return true;
	}
	if (!a->err) {
		tally->survived += a->injected;
		return true;
	}
	tally->refused++;
	if (!a->injected || (!is_fault(a->err) && a->err != -op->also)) {
		ksft_note("fault %u: %s%s", n, strerror(-a->err), a->injected ? "" : ", without a fault");
		return false;
	}
	if (!same_state(&after, before)) {
		ksft_note("fault %u: %s, and yet the policy has changed", n, strerror(-a->err));
		return false;
	}
	if (op->once || op->child)
		return true;
	attempt(op, 0, &again);
	if (again.err)
		ksft_note("after fault %u: %s", n, strerror(-again.err));
	return !again.err;
}

static bool try_all(const struct op *op, struct attempt *shared, struct tally *tally)
{
	struct held held = get_held();
	struct state before;
	unsigned int n;
	bool ok = true;

	for (n = 1; ok && n < FAULTS_MAX; n++) {
		if (op->prepare)
			op->prepare();
		before = get_state();
		if (op->child)
			attempt_in_child(op, n, shared);
		else
			attempt(op, n, shared);
		ok = judge(op, n, shared, &before, tally);
		if (op->undo)
			op->undo();
		if (!shared->injected)
			break;
	}
	return wait_held(&held) && ok && n > 1 && n < FAULTS_MAX;
}

static void test_op(const struct op *op, struct attempt *shared)
{
	struct tally tally = { 0 };

	inject_below(op->below);
	ksft_result(try_all(op, shared, &tally), "%s", op->name);
	ksft_note("%u faults made it fail, %u did not, %u took the answer", tally.refused, tally.survived, tally.lost);
}

static void test_ops(const struct op *op, struct attempt *shared)
{
	for (; op->name; op++)
		test_op(op, shared);
}

static pid_t start_storm(void (*storm)(unsigned int rounds), unsigned int rounds)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		/* Once without faults, so that there is memory in this process for the rest. */
		nl = dnl_open();
		storm(1);
		inject_me();
		storm(rounds);
		_exit(0);
	}
	return pid;
}

static void test_storm(unsigned int rounds)
{
	struct held held = get_held();
	pid_t pids[4];
	unsigned int i;
	int status;
	bool ok;

	inject_below(ANYTHING);
	inject_percent(STORM_PERCENT);
	pids[0] = start_storm(storm_sockets, rounds);
	pids[1] = start_storm(storm_sockets, rounds);
	pids[2] = start_storm(storm_policy, rounds);
	pids[3] = start_storm(storm_netns, rounds / 10 + 1);
	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		waitpid(pids[i], &status, 0);
		if (status)
			ksft_note("storm %u ended by %#x", i, status);
	}
	inject_percent(0);
	ok = wait_held(&held);
	dnl_must(nl, DMM_CMD_FLUSH, NO_ATTRS);
	fill_table();
	ksft_result(ok && dnl_stat(nl, DMM_A_STAT_RULES) == 3, "everything at once, at random");
}

static const char *module_path(void)
{
	static char path[256];
	FILE *f = popen("modinfo -n dmm", "r");

	if (f && fgets(path, sizeof(path), f))
		path[strcspn(path, "\n")] = '\0';
	if (f)
		pclose(f);
	return path;
}

/* Nothing uses it: our sockets are closed, and namespaces do not count. */
static bool unload(void)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (syscall(SYS_delete_module, "dmm", O_NONBLOCK)) {
		if (time(NULL) > end) {
			ksft_note("delete_module: %s", strerror(errno));
			return false;
		}
		usleep(10000);
	}
	return true;
}

static int load(int fd, unsigned int n)
{
	int ret;

	inject_nth(n);
	fault_begin();
	ret = syscall(SYS_finit_module, fd, "", 0);
	fault_end();
	return ret ? -errno : 0;
}

static bool try_loads(int fd, struct tally *tally)
{
	unsigned int n;
	int err;

	for (n = 1; n < FAULTS_MAX; n++) {
		if (module_refs() >= 0 && !unload())
			return false;
		err = load(fd, n);
		if (!inject_done())
			return !err && n > 1;
		tally->survived += !err;
		tally->refused += !!err;
		if (err && (!is_fault(err) || module_refs() >= 0)) {
			ksft_note("fault %u: %s, and %s module", n, strerror(-err), module_refs() < 0 ? "no" : "there is a");
			return false;
		}
	}
	return false;
}

static void test_load(void)
{
	static const char name[] = "the module is loaded";
	int fd = open(module_path(), O_RDONLY | O_CLOEXEC);
	struct tally tally = { 0 };

	if (fd < 0 || inject_below(INIT)) {
		ksft_skip(name, "no dmm.ko, or no address of do_init_module()");
		return;
	}
	ksft_result(try_loads(fd, &tally), "%s", name);
	ksft_note("%u faults made it fail, %u did not", tally.refused, tally.survived);
	if (module_refs() < 0)
		load(fd, 0);
	close(fd);
}

/* A namespace of our own, with a table of its own. */
static void enter_netns(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET))
		ksft_skip_all("needs root");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
}

int main(void)
{
	const char *reason;
	struct attempt *shared;

	ksft_header();
	reason = inject_init();
	if (reason)
		ksft_skip_all(reason);
	enter_netns();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	nl = dnl_open();
	fill_table();
	test_ops(policy_ops, shared);
	test_ops(socket_ops, shared);
	add_stack_rule();
	test_ops(stack_ops, shared);
	test_ops(life_ops, shared);
	test_storm(STORM_ROUNDS / ksft_rounds_div());
	dnl_close(nl);
	test_load();
	ksft_finish();
}
