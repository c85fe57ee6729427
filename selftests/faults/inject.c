// SPDX-License-Identifier: GPL-2.0-only
#include "inject.h"

#include <fcntl.h>
#include <unistd.h>

#define DEBUGFS		"/sys/kernel/debug/"

static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

/* Files of these directories that are set for the time of the test; not all have all. */
static const struct {
	const char *name;
	const char *value;
} settings[] = {
	{ "probability", "0" },
	{ "times", "-1" },
	{ "verbose", "0" },		/* a fault is no complaint */
	{ "task-filter", "Y" },
	{ "ignore-gfp-wait", "N" },
	{ "ignore-gfp-highmem", "N" },
	{ "min-order", "0" },
	{ "require-start", "0" },
	{ "require-end", "0xffffffffffffffff" },
	{ "stacktrace-depth", "32" },
};

static pid_t owner;
static char saved[ARRAY_SIZE(kinds)][ARRAY_SIZE(settings)][32];
/* Faults still to come, up to the one that is meant. */
static unsigned int left;

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return ret;
}

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
}

static const char *setting_path(unsigned int kind, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", kinds[kind], name);
	return path;
}

static void set_all(const char *name, const char *value)
{
	unsigned int k;

	for (k = 0; k < ARRAY_SIZE(kinds); k++)
		write_file(setting_path(k, name), value);
}

static void restore(void)
{
	unsigned int k, s;

	/* Children exit, too. */
	if (getpid() != owner)
		return;
	for (k = 0; k < ARRAY_SIZE(kinds); k++)
		for (s = 0; s < ARRAY_SIZE(settings); s++)
			write_file(setting_path(k, settings[s].name), saved[k][s]);
}

const char *inject_init(void)
{
	unsigned int k, s;

	if (access("/proc/self/fail-nth", W_OK))
		return "the kernel injects no faults (CONFIG_FAULT_INJECTION)";
	for (k = 0; k < ARRAY_SIZE(kinds); k++)
		if (access(setting_path(k, "require-start"), W_OK))
			return "the kernel lacks a kind of faults (CONFIG_FAILSLAB, ...)";
	for (k = 0; k < ARRAY_SIZE(kinds); k++)
		for (s = 0; s < ARRAY_SIZE(settings); s++)
			read_file(setting_path(k, settings[s].name), saved[k][s], sizeof(saved[k][s]));
	for (s = 0; s < ARRAY_SIZE(settings); s++)
		set_all(settings[s].name, settings[s].value);
	owner = getpid();
	atexit(restore);
	return NULL;
}

void inject_nth(unsigned int n)
{
	left = n;
}

bool inject_done(void)
{
	return !left;
}

static int fail_nth = -1;

void fault_begin(void)
{
	char text[16];
	int len;

	if (!left)
		return;
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	len = snprintf(text, sizeof(text), "%u", left);
	if (fail_nth < 0 || write(fail_nth, text, len) != len)
		give_up("fail-nth");
}

/* The copying to and from these files counts, too: one whose answer is a fault had one to go. */
void fault_end(void)
{
	char text[16] = "";
	int err = errno;

	if (fail_nth < 0)
		return;
	left = pread(fail_nth, text, sizeof(text) - 1, 0) < 0 ? 1 : strtoul(text, NULL, 10);
	if (write(fail_nth, "0", 1) != 1 && left > 2)
		give_up("fail-nth");
	close(fail_nth);
	fail_nth = -1;
	errno = err;
}

/* Text of the module: it is the first thing in its memory, whose size is more than that. */
static int find_module(unsigned long *start, unsigned long *end)
{
	FILE *f = fopen("/proc/modules", "re");
	unsigned long size, addr;
	char name[64];
	int ret = -1;

	while (f && fscanf(f, "%63s %lu %*s %*s %*s %lx%*[^\n]", name, &size, &addr) == 3) {
		if (!strcmp(name, "dmm")) {
			*start = addr;
			*end = addr + size;
			ret = 0;
		}
	}
	if (f)
		fclose(f);
	return ret;
}

/*
 * The function that calls a module's init, whose own address is not known beforehand. The kernel's symbols are in the
 * order of their addresses.
 */
static int find_init(unsigned long *start, unsigned long *end)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long addr;
	char name[256];

	*start = 0;
	*end = 0;
	while (f && !*end && fscanf(f, "%lx %*c %255s%*[^\n]", &addr, name) == 2) {
		if (!strcmp(name, "do_init_module"))
			*start = addr;
		else if (*start && addr > *start)
			*end = addr;
	}
	if (f)
		fclose(f);
	return *end ? 0 : -1;
}

int inject_below(enum below below)
{
	unsigned long start = 0, end = ~0ul;
	char text[32];

	if ((below == MODULE && find_module(&start, &end)) || (below == INIT && find_init(&start, &end)))
		return -1;
	snprintf(text, sizeof(text), "%#lx", start);
	set_all("require-start", text);
	snprintf(text, sizeof(text), "%#lx", end);
	set_all("require-end", text);
	return 0;
}

void inject_percent(unsigned int percent)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", percent);
	set_all("probability", text);
}

void inject_me(void)
{
	if (write_file("/proc/self/make-it-fail", "1"))
		give_up("make-it-fail");
}
