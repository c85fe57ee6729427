// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/dmm.h>

static char why[256];

int daemon_bad(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	return -EINVAL;
}

const char *daemon_why(void)
{
	return why;
}

int daemon_number(const char *text, unsigned long min, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	if (end == text || *end || *text == '-' || errno || *value < min || *value > max)
		return daemon_bad("not a number from %lu to %lu: %s", min, max, text);
	return 0;
}

int daemon_spin(const char *text, int64_t *ns)
{
	unsigned long us;
	int ret;

	if (!strcmp(text, "always")) {
		*ns = -1;
		return 0;
	}
	ret = daemon_number(text, 0, 1000000, &us);
	*ns = us * INT64_C(1000);
	return ret;
}

static const struct daemon_key common[] = {
	{ .name = "name" },
	{ .name = "instance" },
	{ .name = "device" },
	{ .name = "arena" },
	{ .name = "weight" },
	{ 0 },
};

static int set_common(struct dmm_stack_config *config, const char *name, const char *value)
{
	unsigned long n;
	int ret = 0;

	if (!strcmp(name, "name")) {
		config->name = value;
	} else if (!strcmp(name, "instance")) {
		config->instance = value;
	} else if (!strcmp(name, "device")) {
		config->path = value;
	} else if (!strcmp(name, "arena")) {
		ret = daemon_number(value, 1, DMM_ARENA_MAX >> 20, &n);
		config->arena = (uint64_t)n << 20;
	} else {
		ret = daemon_number(value, 1, 1000, &n);
		config->weight = n;
	}
	return ret;
}

static const struct daemon_key *find_in(const struct daemon_key *key, const char *name)
{
	while (key->name && strcmp(key->name, name))
		key++;
	return key->name ? key : NULL;
}

/* A key of its own comes first: the daemon may know better. */
static const struct daemon_key *find(const struct daemon_program *program, const char *name)
{
	const struct daemon_key *key = find_in(program->keys, name);

	return key ? key : find_in(common, name);
}

int daemon_set(const struct daemon_program *program, const char *name, const char *value)
{
	const struct daemon_key *key = find(program, name);

	if (!key)
		return daemon_bad("unknown: %s", name);
	if (key->bare ? *value : !*value)
		return daemon_bad(key->bare ? "%s takes no value" : "%s needs a value", name);
	return key->set ? key->set(value) : set_common(program->config, name, value);
}

/* KEY [VALUE], with blanks between and around; # begins a comment. */
static int set_line(const struct daemon_program *program, char *line)
{
	char *key, *value;

	line[strcspn(line, "#\n")] = 0;
	key = line + strspn(line, " \t");
	if (!*key)
		return 0;
	for (size_t end = strlen(key); end && strchr(" \t\r", key[end - 1]); end--)
		key[end - 1] = 0;
	value = key + strcspn(key, " \t");
	if (*value)
		*value++ = 0;
	value = strdup(value + strspn(value, " \t"));
	return value ? daemon_set(program, key, value) : daemon_bad("no memory");
}

static int read_file(const struct daemon_program *program, const char *path)
{
	char line[1024], what[sizeof(why)];
	FILE *f = fopen(path, "re");
	int ret = 0;

	if (!f)
		return daemon_bad("%s: %s", path, strerror(errno));
	for (unsigned int nr = 1; !ret && fgets(line, sizeof(line), f); nr++) {
		ret = set_line(program, line);
		if (ret) {
			strcpy(what, why);
			daemon_bad("%s:%u: %s", path, nr, what);
		}
	}
	fclose(f);
	return ret;
}

static int complain(const struct daemon_program *program)
{
	fprintf(stderr, "%s: %s\n", program->name, why);
	return 2;
}

/* What is no key.  Negative: go on; 0: exit; 1: it is a key. */
static int parse_other(struct daemon_program *program, const char *name)
{
	if (!strcmp(name, "background")) {
		program->background = true;
	} else if (!strcmp(name, "check")) {
		program->check = true;
	} else if (!strcmp(name, "version")) {
		printf("%s " DMM_VERSION "\n", program->name);
		return 0;
	} else if (!strcmp(name, "help")) {
		fputs(program->usage, stdout);
		return 0;
	} else {
		return 1;
	}
	return -1;
}

int daemon_parse(struct daemon_program *program, int argc, char **argv)
{
	const struct daemon_key *key;
	const char *name, *value;
	int ret;

	for (int i = 1; i < argc; i++) {
		name = argv[i] + 2;
		if (strncmp(argv[i], "--", 2)) {
			fputs(program->usage, stderr);
			return 2;
		}
		ret = parse_other(program, name);
		if (!ret)
			return 0;
		if (ret < 0)
			continue;
		key = find(program, name);
		value = (key && key->bare) || i + 1 == argc ? "" : argv[++i];
		if (!strcmp(name, "config"))
			ret = read_file(program, value);
		else
			ret = daemon_set(program, name, value);
		if (ret)
			return complain(program);
	}
	if (program->complete && program->complete())
		return complain(program);
	return program->check ? 0 : -1;
}
