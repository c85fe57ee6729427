/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of dmmpolicy share. */
#ifndef DMMPOLICY_H
#define DMMPOLICY_H

#include <stdbool.h>
#include <jansson.h>
#include <dmm/dmm.h>
#include <dmm/policy.h>

/* Exit codes, as of ip(8). */
enum { EXIT_OK = 0, EXIT_USAGE = 1, EXIT_KERNEL = 2 };

/**
 * struct app - one run of the program
 * @client:	connection to the module, opened when first needed
 * @file:	argument of -f
 */
struct app {
	bool json;
	bool pretty;
	bool counters;
	bool check_only;
	const char *file;
	struct dmm_client *client;
	struct dmm_parser *parser;
};

/* main.c */

/* Print the usage of the command at hand; returns EXIT_USAGE. */
int usage_error(const char *why);

/* Words that are not expected. */
int no_more_words(int argc, char **argv);

/* error.c: print why something failed, and return the exit code for it. */

int print_error(const struct dmm_error *e);
int print_client_error(const struct app *app, int err);

/*
 * Of dmm_parse_*() whose callback uses the client: its error unless the parser
 * has one.
 */
int print_parse_error(const struct app *app, int err);

/* Open app->client if it is not; an exit code. */
int need_client(struct app *app);

/* output.c: arrays of objects in JSON, lines in text. */

struct output {
	const struct app *app;
	unsigned int nr;
};

void output_begin(struct output *out, const struct app *app);
void output_end(struct output *out);

/* Takes over @obj. */
void output_json(struct output *out, json_t *obj);

/* An object of command @cmd, all the fields that it has. */
json_t *json_of(unsigned int cmd, const void *obj);

/* Text of a rule or change in memory that is freed by the caller; exits without memory. */
char *text_of_rule(const struct dmm_rule *rule);
char *text_of_change(const struct dmm_change *ch);
void print_rule(const struct dmm_rule *rule, bool counters);

/* Commands: what follows the verb is in argv; they return an exit code. */

/* change.c */
int cmd_change(struct app *app, int argc, char **argv);
int cmd_load(struct app *app, int argc, char **argv);
int cmd_replace(struct app *app, int argc, char **argv);
int cmd_diff(struct app *app, int argc, char **argv);
int cmd_check(struct app *app, int argc, char **argv);
int load_file(struct app *app, const char *file);
int change_text(struct app *app, const char *name, unsigned int line, const char *text,
		size_t len);

/* check.c */

/* Print what is odd about rules that come from files, and the size of the table. */
int report_table(struct app *app, struct dmm_table *t);

/* Change a table in memory; any change of the language will do. */
int apply_change(struct dmm_table **table, const struct dmm_change *ch);

/* show.c */
int cmd_zone_show(struct app *app, int argc, char **argv);
int cmd_set_show(struct app *app, int argc, char **argv);
int cmd_rule_show(struct app *app, int argc, char **argv);
int cmd_save(struct app *app, int argc, char **argv);
int cmd_stat(struct app *app, int argc, char **argv);
int cmd_stack_show(struct app *app, int argc, char **argv);

/* explain.c */
int cmd_explain(struct app *app, int argc, char **argv);

/* monitor.c */
int cmd_monitor(struct app *app, int argc, char **argv);

#endif /* DMMPOLICY_H */
