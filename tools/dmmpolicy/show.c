// SPDX-License-Identifier: Apache-2.0
/* dmmpolicy: what the table has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmmpolicy.h"

/* Zones come in parts: put them together before they are shown. */
static int add_object(void *arg, const struct dmm_object *obj)
{
	struct dmm_change ch = { 0 };

	if (obj->cmd == DMM_CMD_ZONE_GET) {
		ch.cmd = DMM_CMD_ZONE_ADD;
		ch.zone = *obj->zone;
	} else if (obj->cmd == DMM_CMD_GROUP_GET) {
		ch.cmd = DMM_CMD_GROUP_ADD;
		ch.group = *obj->group;
	} else {
		ch.cmd = DMM_CMD_SET_ADD;
		ch.set = *obj->set;
	}
	return dmm_table_add(arg, &ch);
}

/* The object as "rule show" has it: as it was added, without the command. */
static int print_object(void *arg, const struct dmm_change *ch)
{
	struct output *out = arg;
	char *text;

	if (out->app->json) {
		output_json(out, json_of(ch->cmd, &ch->zone));
		return 0;
	}
	text = text_of_change(ch);
	printf("%s\n", strstr(text, " add ") + strlen(" add "));
	free(text);
	return 0;
}

static int show_objects(struct app *app, unsigned int cmd, const void *req)
{
	struct dmm_table *t;
	struct output out;
	int err, ret = EXIT_OK;

	err = dmm_table_new(&t);
	if (err)
		return print_client_error(app, err);
	err = dmm_dump(app->client, cmd, req, add_object, t);
	if (err) {
		ret = print_client_error(app, err);
	} else {
		output_begin(&out, app);
		dmm_table_walk(t, print_object, &out);
		output_end(&out);
	}
	dmm_table_free(t);
	return ret;
}

/* A name that is asked for must be there. */
static int show_named(struct app *app, unsigned int cmd, int argc, char **argv, const void *req)
{
	int err, ret;

	if (argc > 1)
		return no_more_words(argc - 1, argv + 1);
	ret = need_client(app);
	if (ret != EXIT_OK)
		return ret;
	err = argc ? dmm_get(app->client, cmd, req, NULL, NULL) : 0;
	return err ? print_client_error(app, err) : show_objects(app, cmd, argc ? req : NULL);
}

int cmd_zone_show(struct app *app, int argc, char **argv)
{
	struct dmm_zone req = { .has = DMM_HAS(DMM_A_ZONE_NAME), .name = argv[0] };

	return show_named(app, DMM_CMD_ZONE_GET, argc, argv, &req);
}

int cmd_set_show(struct app *app, int argc, char **argv)
{
	struct dmm_set req = { .has = DMM_HAS(DMM_A_SET_NAME), .name = argv[0] };

	return show_named(app, DMM_CMD_SET_GET, argc, argv, &req);
}

int cmd_group_show(struct app *app, int argc, char **argv)
{
	struct dmm_group req = { .has = DMM_HAS(DMM_A_GROUP_NAME), .name = argv[0] };

	return show_named(app, DMM_CMD_GROUP_GET, argc, argv, &req);
}

struct rule_list {
	struct output out;
	struct dmm_rule sel;
};

static int print_selected(void *arg, const struct dmm_object *obj)
{
	struct rule_list *list = arg;

	if (!dmm_rule_selected(obj->rule, &list->sel))
		return 0;
	if (list->out.app->json) {
		output_json(&list->out, json_of(DMM_CMD_RULE_GET, obj->rule));
		return 0;
	}
	print_rule(obj->rule, list->out.app->counters);
	putchar('\n');
	return 0;
}

int cmd_rule_show(struct app *app, int argc, char **argv)
{
	struct dmm_rule req = { .has = 0 };
	struct rule_list list;
	int err, ret;

	err = dmm_parse_selector(app->parser, argc, argv, &list.sel);
	if (err)
		return print_parse_error(app, err);
	ret = need_client(app);
	if (ret != EXIT_OK)
		return ret;
	output_begin(&list.out, app);
	/* Let the kernel leave out what it can. */
	req.has = list.sel.has & (DMM_HAS(DMM_A_RULE_ID) | DMM_HAS(DMM_A_RULE_ORIGIN));
	req.id = list.sel.id;
	req.origin = list.sel.origin;
	if (req.has & DMM_HAS(DMM_A_RULE_ID)) {
		req.has = DMM_HAS(DMM_A_RULE_ID);
		err = dmm_get(app->client, DMM_CMD_RULE_GET, &req, print_selected, &list);
	} else {
		err = dmm_dump(app->client, DMM_CMD_RULE_GET, &req, print_selected, &list);
	}
	output_end(&list.out);
	return err ? print_client_error(app, err) : EXIT_OK;
}

/* save */

static int print_change(void *arg, const struct dmm_change *ch)
{
	struct output *out = arg;
	char *text = text_of_change(ch);

	if (out->app->json)
		output_json(out, json_pack("{s:s}", "command", text));
	else
		puts(text);
	free(text);
	return 0;
}

int cmd_save(struct app *app, int argc, char **argv)
{
	int err, ret = no_more_words(argc, argv);
	struct dmm_table *t;
	struct output out;
	uint64_t gen;

	if (ret == EXIT_OK)
		ret = need_client(app);
	if (ret != EXIT_OK)
		return ret;
	err = dmm_table_new(&t);
	if (err)
		return print_client_error(app, err);
	err = dmm_table_fetch(t, app->client, &gen);
	if (err) {
		ret = print_client_error(app, err);
	} else {
		output_begin(&out, app);
		dmm_table_walk(t, print_change, &out);
		output_end(&out);
	}
	dmm_table_free(t);
	return ret;
}

/* stat */

static void print_counters(const struct dmm_field *f, const struct dmm_counters *c)
{
	for (uint32_t i = 0; i < c->nr; i++) {
		if (i < f->nr_names)
			printf("reason %s %llu\n", f->names[i], (unsigned long long)c->v[i]);
		else
			printf("reason %u %llu\n", i, (unsigned long long)c->v[i]);
	}
}

static void print_stat(const struct dmm_stat *stat)
{
	const struct dmm_field *f;
	unsigned int nr;

	f = dmm_fields(DMM_CMD_STAT_GET, &nr);
	for (unsigned int i = 0; i < nr; i++) {
		const void *p = (const char *)stat + f[i].offset;

		if (!(stat->has & DMM_HAS(i)))
			continue;
		if (f[i].kind == DMM_KIND_U32)
			printf("%s %u\n", f[i].name, *(const uint32_t *)p);
		else if (f[i].kind == DMM_KIND_U64)
			printf("%s %llu\n", f[i].name,
			       (unsigned long long)*(const uint64_t *)p);
		else if (f[i].kind == DMM_KIND_COUNTERS)
			print_counters(&f[i], p);
	}
}

static int show_stat(void *arg, const struct dmm_object *obj)
{
	struct output *out = arg;

	if (out->app->json)
		output_json(out, json_of(DMM_CMD_STAT_GET, obj->stat));
	else
		print_stat(obj->stat);
	return 0;
}

int cmd_stat(struct app *app, int argc, char **argv)
{
	int err, ret = no_more_words(argc, argv);
	struct output out;

	if (ret == EXIT_OK)
		ret = need_client(app);
	if (ret != EXIT_OK)
		return ret;
	output_begin(&out, app);
	err = dmm_get(app->client, DMM_CMD_STAT_GET, NULL, show_stat, &out);
	output_end(&out);
	return err ? print_client_error(app, err) : EXIT_OK;
}
