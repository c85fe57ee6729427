// SPDX-License-Identifier: Apache-2.0
/* dmmpolicy: commands that change the table, or say what would change it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dmmpolicy.h"

/*
 * A transaction that begins with its first change: what is read before, a file
 * from a pipe, say, may take its time.
 */
struct txn {
	struct app *app;
	bool open;
	bool based;
	uint64_t base;		/* generation, if based */
	bool want_id;
	uint32_t id;
};

static int txn_change(void *arg, const struct dmm_change *ch)
{
	struct txn *txn = arg;
	struct dmm_client *c = txn->app->client;
	int err;

	if (!txn->open) {
		err = dmm_begin(c, txn->based ? &txn->base : NULL);
		if (err)
			return err;
		txn->open = true;
	}
	/* Counters are no part of transactions. */
	if (ch->cmd == DMM_CMD_RULE_ZERO && txn->app->check_only)
		return 0;
	if (txn->want_id && ch->cmd == DMM_CMD_RULE_ADD)
		return dmm_rule_add(c, ch, &txn->id);
	return dmm_change(c, ch);
}

/* Commit what went well; with -c, see that the kernel took it all and drop it. */
static int txn_end(struct txn *txn, int err)
{
	struct dmm_client *c = txn->app->client;

	if (!txn->open)
		return err;
	if (!err)
		err = txn->app->check_only ? dmm_sync(c) : dmm_commit(c, NULL);
	dmm_abort(c);
	return err;
}

static int no_change(void *arg, const struct dmm_change *ch)
{
	(void)arg;
	(void)ch;
	return 0;
}

/* What yields changes: a file, text or the command line. */
struct source {
	const char *file;
	const char *name;
	unsigned int line;
	const char *text;
	size_t len;
	int argc;
	char **argv;
};

static int parse_source(struct app *app, const struct source *s, dmm_change_fn fn, void *arg)
{
	if (s->file)
		return dmm_parse_file(app->parser, s->file, fn, arg);
	if (s->text)
		return dmm_parse_text(app->parser, s->name, s->line, s->text, s->len, fn, arg);
	return dmm_parse_argv(app->parser, s->argc, s->argv, fn, arg);
}

/* Without the module, -c checks the text. */
static int check_text(struct app *app, const struct source *s)
{
	int err = parse_source(app, s, no_change, NULL);

	if (err)
		return print_parse_error(app, err);
	fprintf(stderr, "dmmpolicy: not checked by the kernel: the module dmm is not loaded\n");
	return EXIT_OK;
}

static void print_id(const struct txn *txn)
{
	struct output out;

	output_begin(&out, txn->app);
	output_json(&out, json_pack("{s:I}", "id", (json_int_t)txn->id));
	output_end(&out);
}

static int change_source(struct app *app, const struct source *s)
{
	struct txn txn = { .app = app };
	int err;

	err = app->client ? 0 : dmm_open(&app->client);
	if (err == -ENOPROTOOPT && app->check_only)
		return check_text(app, s);
	if (err)
		return need_client(app);
	txn.want_id = app->json && s->argv;
	err = txn_end(&txn, parse_source(app, s, txn_change, &txn));
	if (err)
		return print_parse_error(app, err);
	if (txn.id)
		print_id(&txn);
	return EXIT_OK;
}

int cmd_change(struct app *app, int argc, char **argv)
{
	struct source s = { .argc = argc, .argv = argv };

	return change_source(app, &s);
}

int load_file(struct app *app, const char *file)
{
	struct source s = { .file = file };

	return change_source(app, &s);
}

int change_text(struct app *app, const char *name, unsigned int line, const char *text,
		size_t len)
{
	struct source s = { .name = name, .line = line, .text = text, .len = len };

	return change_source(app, &s);
}

/* Arguments of the commands that work on a file. */
struct file_args {
	const char *file;
	bool has_origin;
	unsigned int origin;
};

/* [origin ORIGIN] [-f FILE]; the file may be given before the command as well. */
static int parse_file_args(struct app *app, int argc, char **argv, struct file_args *args)
{
	*args = (struct file_args){ .file = app->file };
	for (; argc > 1; argc -= 2, argv += 2) {
		if (!strcmp(argv[0], "-f")) {
			args->file = argv[1];
		} else if (!strcmp(argv[0], "origin")) {
			int err = dmm_parse_origin(app->parser, argv[1], &args->origin);

			if (err)
				return print_parse_error(app, err);
			args->has_origin = true;
		} else {
			break;
		}
	}
	if (argc)
		return no_more_words(argc, argv);
	return args->file ? EXIT_OK : usage_error("-f FILE is missing");
}

int cmd_load(struct app *app, int argc, char **argv)
{
	struct file_args args;
	int ret = parse_file_args(app, argc, argv, &args);

	if (ret != EXIT_OK)
		return ret;
	if (args.has_origin)
		dmm_parser_set_origin(app->parser, args.origin);
	return load_file(app, args.file);
}

/* A table and the error of what went wrong when it was made. */
static int print_table_error(const struct app *app, const struct dmm_table *t, int err)
{
	const struct dmm_error *e = dmm_table_error(t);

	return e->err == err ? print_error(e) : print_parse_error(app, err);
}

static int table_add(void *arg, const struct dmm_change *ch)
{
	return dmm_table_add(arg, ch);
}

static int wrong_origin(void *arg, const struct dmm_change *ch)
{
	const struct file_args *args = arg;
	unsigned int origin = ch->cmd == DMM_CMD_ZONE_ADD ? ch->zone.origin :
			      ch->cmd == DMM_CMD_SET_ADD ? ch->set.origin : ch->rule.origin;
	struct dmm_error e = { .err = -EINVAL, .loc = ch->loc };

	if (origin == args->origin)
		return 0;
	snprintf(e.msg, sizeof(e.msg), "origin is %s, not %s", dmm_origin_name(origin),
		 dmm_origin_name(args->origin));
	return print_error(&e);
}

/* The table that a file describes. */
static int read_table(struct app *app, struct file_args *args, struct dmm_table **table)
{
	int err = dmm_table_new(table);

	if (err)
		return print_parse_error(app, err);
	if (args->has_origin)
		dmm_parser_set_origin(app->parser, args->origin);
	err = dmm_parse_file(app->parser, args->file, table_add, *table);
	if (err)
		return print_table_error(app, *table, err);
	return args->has_origin ? dmm_table_walk(*table, wrong_origin, args) : EXIT_OK;
}

/* Make the kernel's table, in these origins, the one given; -ESTALE if another change came first. */
static int replace_once(struct app *app, struct dmm_table *to, unsigned int origins, int *ret)
{
	struct txn txn = { .app = app, .based = true };
	struct dmm_table *from;
	int err;

	err = dmm_table_new(&from);
	if (!err)
		err = dmm_table_fetch(from, app->client, &txn.base);
	if (!err)
		err = dmm_table_diff(from, to, origins, txn_change, &txn);
	err = txn_end(&txn, err);
	*ret = err && err != -ESTALE ? print_table_error(app, from, err) : EXIT_OK;
	dmm_table_free(from);
	return err;
}

static int replace_table(struct app *app, struct dmm_table *to, unsigned int origins)
{
	time_t end = time(NULL) + 10;
	int err, ret;

	do
		err = replace_once(app, to, origins, &ret);
	while (err == -ESTALE && time(NULL) < end);
	return err == -ESTALE ? print_client_error(app, err) : ret;
}

int cmd_replace(struct app *app, int argc, char **argv)
{
	struct dmm_table *to = NULL;
	struct file_args args;
	int ret;

	ret = parse_file_args(app, argc, argv, &args);
	if (ret == EXIT_OK && !args.has_origin)
		ret = usage_error("origin ORIGIN is missing");
	if (ret == EXIT_OK)
		ret = read_table(app, &args, &to);
	if (ret == EXIT_OK)
		ret = need_client(app);
	if (ret == EXIT_OK)
		ret = replace_table(app, to, 1u << args.origin);
	dmm_table_free(to);
	return ret;
}

/* diff: what replace would do, in the language, with - for what goes. */

static int print_difference(void *arg, const struct dmm_change *ch)
{
	bool goes = ch->cmd == DMM_CMD_ZONE_DEL || ch->cmd == DMM_CMD_SET_DEL ||
		    ch->cmd == DMM_CMD_RULE_DEL;
	struct dmm_change shown = *ch;
	struct output *out = arg;
	char *text;

	/* Show the rule that goes, not its id. */
	if (ch->cmd == DMM_CMD_RULE_DEL)
		shown.cmd = DMM_CMD_RULE_ADD;
	text = text_of_change(&shown);
	if (out->app->json)
		output_json(out, json_pack("{s:s,s:s}", "change", goes ? "del" : "add",
					   "command", text));
	else
		printf("%c %s\n", goes ? '-' : '+', text);
	free(text);
	return 0;
}

static int diff_tables(struct app *app, struct dmm_table *to, unsigned int origins)
{
	struct dmm_table *from;
	struct output out;
	uint64_t gen;
	int err, ret = EXIT_OK;

	err = dmm_table_new(&from);
	if (!err)
		err = dmm_table_fetch(from, app->client, &gen);
	if (!err) {
		output_begin(&out, app);
		err = dmm_table_diff(from, to, origins, print_difference, &out);
		output_end(&out);
	}
	if (err)
		ret = print_table_error(app, from, err);
	dmm_table_free(from);
	return ret;
}

int cmd_diff(struct app *app, int argc, char **argv)
{
	struct dmm_table *to = NULL;
	struct file_args args;
	int ret;

	ret = parse_file_args(app, argc, argv, &args);
	if (ret == EXIT_OK)
		ret = read_table(app, &args, &to);
	if (ret == EXIT_OK)
		ret = need_client(app);
	if (ret == EXIT_OK)
		ret = diff_tables(app, to, args.has_origin ? 1u << args.origin : ~0u);
	dmm_table_free(to);
	return ret;
}

/* check: what the kernel says, in a transaction that is dropped, and a report of the table that would be. */

/* Connect to the module; *@there says whether there is one. */
static int connect_for_check(struct app *app, bool *there)
{
	int err = app->client ? 0 : dmm_open(&app->client);

	*there = !err;
	if (err && err != -ENOPROTOOPT)
		return need_client(app);
	if (err)
		fprintf(stderr, "dmmpolicy: not checked by the kernel: the module dmm is not loaded\n");
	app->check_only = true;
	return EXIT_OK;
}

/* A file that is to be added to a table. */
struct addition {
	struct txn txn;
	struct dmm_table *table;
};

static int add_unasked(void *arg, const struct dmm_change *ch)
{
	struct addition *a = arg;

	return apply_change(&a->table, ch);
}

/* What the kernel takes is right, also a set that is there: it knows the table better. */
static int add_asked(void *arg, const struct dmm_change *ch)
{
	struct dmm_change forced = *ch;
	struct addition *a = arg;
	int err = txn_change(&a->txn, ch);

	forced.replace = true;
	return err ? err : apply_change(&a->table, &forced);
}

static int check_load(struct app *app, const struct file_args *args)
{
	struct addition a = { .txn.app = app };
	uint64_t gen;
	bool there;
	int err, ret;

	ret = connect_for_check(app, &there);
	if (ret != EXIT_OK)
		return ret;
	err = dmm_table_new(&a.table);
	if (err)
		return print_parse_error(app, err);
	if (there)
		err = dmm_table_fetch(a.table, app->client, &gen);
	if (!err)
		err = dmm_parse_file(app->parser, args->file, there ? add_asked : add_unasked, &a);
	err = txn_end(&a.txn, err);
	ret = err ? print_table_error(app, a.table, err) : report_table(app, a.table);
	dmm_table_free(a.table);
	return ret;
}

/* Report the current table with @to in place of what is of @origin. */
static int report_replaced(struct app *app, struct dmm_table *to, unsigned int origin)
{
	struct dmm_change flush = {
		.cmd = DMM_CMD_FLUSH,
		.zone = { .has = DMM_HAS(DMM_A_ZONE_ORIGIN), .origin = origin },
	};
	struct dmm_table *t;
	uint64_t gen;
	int err, ret;

	err = dmm_table_new(&t);
	if (err)
		return print_parse_error(app, err);
	err = dmm_table_fetch(t, app->client, &gen);
	if (!err)
		err = apply_change(&t, &flush);
	if (!err)
		err = dmm_table_walk(to, table_add, t);
	ret = err ? print_table_error(app, t, err) : report_table(app, t);
	dmm_table_free(t);
	return ret;
}

static int check_replace(struct app *app, struct file_args *args)
{
	struct dmm_table *to = NULL;
	bool there;
	int ret;

	ret = read_table(app, args, &to);
	if (ret == EXIT_OK)
		ret = connect_for_check(app, &there);
	if (ret == EXIT_OK && there)
		ret = replace_table(app, to, 1u << args->origin);
	if (ret == EXIT_OK)
		ret = there ? report_replaced(app, to, args->origin) : report_table(app, to);
	dmm_table_free(to);
	return ret;
}

int cmd_check(struct app *app, int argc, char **argv)
{
	bool replace = argc && !strcmp(argv[0], "replace");
	struct file_args args;
	int ret;

	ret = parse_file_args(app, argc - replace, argv + replace, &args);
	if (ret != EXIT_OK)
		return ret;
	if (replace != args.has_origin)
		return usage_error(replace ? "origin ORIGIN is missing" :
					     "origin goes with check replace");
	return replace ? check_replace(app, &args) : check_load(app, &args);
}
