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

/* check: a report. */

struct report {
	struct output out;
	unsigned int findings;
};

static json_t *json_of_loc(const struct dmm_loc *loc)
{
	return json_pack("{s:s,s:i}", "file", loc->file, "line", loc->line);
}

static int report_finding(void *arg, enum dmm_finding what, const struct dmm_change *rule,
			  const struct dmm_change *other)
{
	static const char *const names[] = { "shadowed", "overlap", "too-many" };
	struct report *r = arg;

	r->findings++;
	if (r->out.app->json) {
		json_t *j = json_of_loc(&rule->loc);

		json_object_set_new(j, "finding", json_string(names[what]));
		if (other)
			json_object_set_new(j, "other", json_of_loc(&other->loc));
		output_json(&r->out, j);
		return 0;
	}
	printf("%s:%u: ", rule->loc.file, rule->loc.line);
	if (what == DMM_FINDING_SHADOWED)
		printf("never matches: the rule at %s:%u takes all that it would\n",
		       other->loc.file, other->loc.line);
	else if (what == DMM_FINDING_OVERLAP)
		printf("overlaps the rule at %s:%u, which goes first only because it is older\n",
		       other->loc.file, other->loc.line);
	else
		printf("too many rules of one priority: overlaps from here on were not looked for\n");
	return 0;
}

struct counts {
	unsigned int zones;
	unsigned int prefixes;
	unsigned int sets;
	unsigned int rules;
};

static int count_object(void *arg, const struct dmm_change *ch)
{
	struct counts *n = arg;

	n->zones += ch->cmd == DMM_CMD_ZONE_ADD;
	n->sets += ch->cmd == DMM_CMD_SET_ADD;
	n->rules += ch->cmd == DMM_CMD_RULE_ADD;
	if (ch->cmd == DMM_CMD_ZONE_ADD)
		n->prefixes += ch->zone.prefixes.nr;
	return 0;
}

static void report_counts(struct report *r, struct dmm_table *t, unsigned int masks)
{
	struct counts n = { 0 };

	dmm_table_walk(t, count_object, &n);
	if (r->out.app->json)
		output_json(&r->out, json_pack("{s:i,s:i,s:i,s:i,s:i,s:i}", "zones", n.zones,
					       "prefixes", n.prefixes, "sets", n.sets,
					       "rules", n.rules, "masks", masks,
					       "findings", r->findings));
	else
		printf("%u zones, %u prefixes, %u sets, %u rules, %u masks of 64, %u findings\n",
		       n.zones, n.prefixes, n.sets, n.rules, masks, r->findings);
}

static int report_table(struct app *app, struct dmm_table *t)
{
	struct report r = { 0 };
	unsigned int masks;
	int err;

	output_begin(&r.out, app);
	err = dmm_table_check(t, &masks, report_finding, &r);
	if (!err)
		report_counts(&r, t, masks);
	output_end(&r.out);
	return err ? print_table_error(app, t, err) : EXIT_OK;
}

/* What the kernel says to it, in a transaction that is dropped. */
static int check_in_kernel(struct app *app, struct dmm_table *t, unsigned int origins)
{
	int err = app->client ? 0 : dmm_open(&app->client);

	if (err == -ENOPROTOOPT) {
		fprintf(stderr, "dmmpolicy: not checked by the kernel: the module dmm is not loaded\n");
		return EXIT_OK;
	}
	if (err)
		return need_client(app);
	app->check_only = true;
	return replace_table(app, t, origins);
}

int cmd_check(struct app *app, int argc, char **argv)
{
	struct dmm_table *t = NULL;
	struct file_args args;
	int ret;

	ret = parse_file_args(app, argc, argv, &args);
	if (ret == EXIT_OK)
		ret = read_table(app, &args, &t);
	if (ret == EXIT_OK)
		ret = check_in_kernel(app, t, args.has_origin ? 1u << args.origin :
							       dmm_table_origins(t));
	if (ret == EXIT_OK)
		ret = report_table(app, t);
	dmm_table_free(t);
	return ret;
}
