// SPDX-License-Identifier: Apache-2.0
/* dmmpolicy: command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmmpolicy.h"

struct command {
	const char *object;
	const char *verb;	/* NULL: the object is the whole command */
	const char *args;
	int (*run)(struct app *app, int argc, char **argv);
};

/* What the policy language does not have; its own commands are cmd_change()'s. */
static const struct command commands[] = {
	{ "zone", "show", "[NAME]", cmd_zone_show },
	{ "set", "show", "[NAME]", cmd_set_show },
	{ "group", "show", "[NAME]", cmd_group_show },
	{ "rule", "show", "[id ID] [MATCH ...] [ACTION] [OPTION ...]", cmd_rule_show },
	{ "explain", NULL, "{ connect | listen } { tcp | udp } ENDPOINT [SOCKET ...]", cmd_explain },
	{ "check", NULL, "[replace origin ORIGIN] -f FILE", cmd_check },
	{ "diff", NULL, "[origin ORIGIN] -f FILE", cmd_diff },
	{ "replace", NULL, "origin ORIGIN -f FILE", cmd_replace },
	{ "load", NULL, "-f FILE", cmd_load },
	{ "save", NULL, "", cmd_save },
	{ "monitor", NULL, "[rule | decision | stack | all]", cmd_monitor },
	{ "stat", NULL, "", cmd_stat },
	{ "stack", "show", "[STACK[@INSTANCE]]", cmd_stack_show },
	{ "stack", "share", "STACK@INSTANCE netns { NAME | PID }", cmd_stack_share },
	{ "stack", "unshare", "STACK@INSTANCE netns { NAME | PID }", cmd_stack_unshare },
	{ "stack", "flush", "", cmd_stack_flush },
};

static const char options[] =
	"usage: dmmpolicy [-j] [-p] [-s] [-c] [-n NETNS] COMMAND\n"
	"       dmmpolicy [-c] [-n NETNS] -f FILE\n"
	"       dmmpolicy [-j] [-p] [-s] [-c] [-n NETNS] -batch FILE\n"
	"       dmmpolicy -V | help\n";

static const char terms[] =
	"SOCKET := from ENDPOINT | inet | inet6 | uid USER | gid GROUP | cgroup PATH |\n"
	"          unit UNIT | pid PID | mark MARK | dscp DSCP | dev INTERFACE |\n"
	"          comm PROGRAM | want STACK | repeat TIMES\n"
	"ENDPOINT := ADDRESS:PORT | [ADDRESS]:PORT | *:PORT\n";

static void print_command(FILE *f, const char *object, const char *verb, const char *args)
{
	fprintf(f, "dmmpolicy %s%s%s%s%s\n", object, verb ? " " : "", verb ? verb : "",
		args[0] ? " " : "", args);
}

static void help(FILE *f)
{
	const struct dmm_syntax *s;

	fputs(options, f);
	fputc('\n', f);
	for (unsigned int i = 0; (s = dmm_policy_syntax(i)); i++)
		print_command(f, s->object, s->verb, s->args);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		print_command(f, commands[i].object, commands[i].verb, commands[i].args);
	fputc('\n', f);
	fputs(dmm_policy_terms(), f);
	fputs(terms, f);
}

int usage_error(const char *why)
{
	fprintf(stderr, "dmmpolicy: %s; see dmmpolicy help\n", why);
	return EXIT_USAGE;
}

int no_more_words(int argc, char **argv)
{
	if (!argc)
		return EXIT_OK;
	fprintf(stderr, "dmmpolicy: \"%s\": not expected here; see dmmpolicy help\n", argv[0]);
	return EXIT_USAGE;
}

static bool is_show(const char *word)
{
	return !strcmp(word, "show") || !strcmp(word, "list");
}

static bool is_verb(const char *verb, const char *word)
{
	return !strcmp(verb, word) || (is_show(verb) && is_show(word));
}

/* A bare object shows what there is. */
static const struct command *find_command(int argc, char **argv, int *words)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->object, argv[0]))
			continue;
		*words = 1 + (c->verb && argc > 1);
		if (!c->verb || argc == 1 || is_verb(c->verb, argv[1]))
			return c;
	}
	return NULL;
}

static bool is_change(const char *object)
{
	const struct dmm_syntax *s;

	for (unsigned int i = 0; (s = dmm_policy_syntax(i)); i++)
		if (!strcmp(s->object, object))
			return true;
	return false;
}

static int run_command(struct app *app, int argc, char **argv)
{
	const struct command *c;
	int words;

	if (!strcmp(argv[0], "help")) {
		help(stdout);
		return EXIT_OK;
	}
	c = find_command(argc, argv, &words);
	if (c)
		return c->run(app, argc - words, argv + words);
	if (is_change(argv[0]))
		return cmd_change(app, argc, argv);
	fprintf(stderr, "dmmpolicy: \"%s\": no such command; see dmmpolicy help\n", argv[0]);
	return EXIT_USAGE;
}

/* One line of a batch: a change with all of the language, or a command. */
static int run_line(struct app *app, const char *name, unsigned int line, const char *text,
		    size_t len)
{
	char **words;
	int used, n;

	n = dmm_parse_words(app->parser, name, line, text, len, &words);
	if (n < 0)
		return print_parse_error(app, n);
	if (!n)
		return EXIT_OK;
	if (find_command(n, words, &used) && (n > 1 || !is_change(words[0])))
		return run_command(app, n, words);
	return change_text(app, name, line, text, len);
}

/* Commands one a line, each by itself, up to the first that fails. */
static int run_batch(struct app *app, const char *name)
{
	FILE *f = strcmp(name, "-") ? fopen(name, "re") : stdin;
	unsigned int line = 0;
	size_t size = 0;
	char *text = NULL;
	int ret = EXIT_OK;
	ssize_t len;

	if (!f) {
		fprintf(stderr, "dmmpolicy: cannot open %s: %s\n", name, strerror(errno));
		return EXIT_USAGE;
	}
	while (ret == EXIT_OK && (len = getline(&text, &size, f)) >= 0) {
		ret = run_line(app, f == stdin ? "stdin" : name, ++line, text, len);
		fflush(stdout);
	}
	if (ret != EXIT_OK)
		fprintf(stderr, "dmmpolicy: command failed %s:%u\n",
			f == stdin ? "stdin" : name, line);
	free(text);
	if (f != stdin)
		fclose(f);
	return ret;
}

static int enter_netns(const char *name)
{
	int err = dmm_netns_enter(name);

	if (!err)
		return EXIT_OK;
	fprintf(stderr, "dmmpolicy: cannot enter network namespace %s: %s\n", name, strerror(-err));
	return EXIT_USAGE;
}

/* The value of an option; NULL if it is missing. */
static const char *value_of(char ***arg)
{
	if (!(*arg)[1])
		return NULL;
	return *++*arg;
}

struct invocation {
	struct app app;
	const char *batch;
	const char *netns;
	bool version;
};

/* Options may be written with one or two dashes. Returns false for one that is unknown. */
static bool parse_option(struct invocation *inv, char ***arg)
{
	const char *o = **arg + 1;

	o += *o == '-';
	if (!strcmp(o, "j") || !strcmp(o, "json"))
		inv->app.json = true;
	else if (!strcmp(o, "p") || !strcmp(o, "pretty"))
		inv->app.pretty = true;
	else if (!strcmp(o, "s") || !strcmp(o, "statistics"))
		inv->app.counters = true;
	else if (!strcmp(o, "c") || !strcmp(o, "check"))
		inv->app.check_only = true;
	else if (!strcmp(o, "V") || !strcmp(o, "Version") || !strcmp(o, "version"))
		inv->version = true;
	else if (!strcmp(o, "n") || !strcmp(o, "netns"))
		return (inv->netns = value_of(arg));
	else if (!strcmp(o, "f") || !strcmp(o, "file"))
		return (inv->app.file = value_of(arg));
	else if (!strcmp(o, "b") || !strcmp(o, "batch"))
		return (inv->batch = value_of(arg));
	else
		return false;
	return true;
}

static int run(struct invocation *inv, int argc, char **argv)
{
	int ret = dmm_parser_new(&inv->app.parser) ? EXIT_KERNEL : EXIT_OK;

	if (ret == EXIT_OK && inv->netns)
		ret = enter_netns(inv->netns);
	if (ret != EXIT_OK)
		return ret;
	if (inv->batch && !argc && !inv->app.file)
		return run_batch(&inv->app, inv->batch);
	if (inv->batch)
		return usage_error("-batch goes with no command and no -f");
	if (argc)
		return run_command(&inv->app, argc, argv);
	if (inv->app.file)
		return load_file(&inv->app, inv->app.file);
	help(stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct invocation inv = { 0 };
	char **arg = argv + 1;
	int ret;

	(void)argc;
	for (; *arg && (*arg)[0] == '-' && (*arg)[1]; arg++) {
		if (!strcmp(*arg, "-h") || !strcmp(*arg, "-help") || !strcmp(*arg, "--help")) {
			help(stdout);
			return EXIT_OK;
		}
		if (!parse_option(&inv, &arg)) {
			help(stderr);
			return EXIT_USAGE;
		}
	}
	if (inv.version) {
		printf("dmmpolicy %s\n", DMM_VERSION);
		return EXIT_OK;
	}
	argc = 0;
	while (arg[argc])
		argc++;
	ret = run(&inv, argc, arg);
	dmm_close(inv.app.client);
	dmm_parser_free(inv.app.parser);
	if (fflush(stdout) || ferror(stdout))
		ret = EXIT_USAGE;
	return ret;
}
