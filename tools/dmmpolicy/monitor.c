// SPDX-License-Identifier: Apache-2.0
/* dmmpolicy: changes and decisions as they happen. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dmmpolicy.h"

static const char *event_name(unsigned int cmd)
{
	switch (cmd) {
	case DMM_CMD_ZONE_ADD:
		return "zone-add";
	case DMM_CMD_ZONE_DEL:
		return "zone-del";
	case DMM_CMD_SET_ADD:
		return "set-add";
	case DMM_CMD_SET_DEL:
		return "set-del";
	case DMM_CMD_GROUP_ADD:
		return "group-add";
	case DMM_CMD_GROUP_SET:
		return "group-set";
	case DMM_CMD_GROUP_DEL:
		return "group-del";
	case DMM_CMD_STACK_ADD:
		return "stack-add";
	case DMM_CMD_STACK_DEL:
		return "stack-del";
	case DMM_CMD_RULE_ADD:
		return "rule-add";
	case DMM_CMD_RULE_DEL:
		return "rule-del";
	case DMM_CMD_TXN_COMMIT:
		return "commit";
	case DMM_CMD_DECISION_GET:
		return "decision";
	default:
		return NULL;
	}
}

static void print_json(const struct dmm_object *obj, const char *name)
{
	json_t *json = json_object();

	json_object_set_new(json, "event", json_string(name));
	json_object_update_missing_new(json, json_of(obj->cmd, obj->has));
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}

static bool has(const struct dmm_decision *d, unsigned int attr)
{
	return d->has & DMM_HAS(attr);
}

static void print_endpoint(const struct dmm_prefix *addr, unsigned int port)
{
	char text[64];

	dmm_prefix_format(text, sizeof(text), addr);
	printf(addr->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

static void print_decision(const struct dmm_decision *d)
{
	const char *role = dmm_role_name(d->role), *reason = dmm_reason_name(d->reason);

	printf("decision %s %s ", role ? role : "?", d->type == SOCK_STREAM ? "tcp" : "udp");
	if (has(d, DMM_A_DECISION_SRC))
		print_endpoint(&d->src, d->sport);
	if (has(d, DMM_A_DECISION_DST) && d->role != DMM_ROLE_LISTEN) {
		printf(" > ");
		print_endpoint(&d->dst, d->dport);
	}
	printf(" uid %u pid %u", d->uid, d->pid);
	if (has(d, DMM_A_DECISION_COMM))
		printf(" comm \"%s\"", d->comm);
	if (has(d, DMM_A_DECISION_STACK))
		printf(" stack %s", d->stack);
	printf(" reason %s", reason ? reason : "?");
	if (has(d, DMM_A_DECISION_RULE))
		printf(" rule %u prio %u", d->rule, d->prio);
	if (d->error)
		printf(" error \"%s\"", strerror(d->error));
	printf(" cookie %llu gen %llu\n", (unsigned long long)d->cookie,
	       (unsigned long long)d->gen);
}

/* A zone, set or group as in the language, a rule with its id. */
static void print_change(const struct dmm_object *obj)
{
	struct dmm_change ch = { .cmd = obj->cmd };
	char *text;

	if (obj->cmd == DMM_CMD_RULE_ADD || obj->cmd == DMM_CMD_RULE_DEL) {
		printf(obj->cmd == DMM_CMD_RULE_ADD ? "rule add " : "rule del ");
		print_rule(obj->rule, false);
		putchar('\n');
		return;
	}
	if (obj->cmd == DMM_CMD_SET_ADD || obj->cmd == DMM_CMD_SET_DEL)
		ch.set = *obj->set;
	else if (obj->cmd == DMM_CMD_GROUP_ADD || obj->cmd == DMM_CMD_GROUP_SET ||
		 obj->cmd == DMM_CMD_GROUP_DEL)
		ch.group = *obj->group;
	else
		ch.zone = *obj->zone;
	text = text_of_change(&ch);
	puts(text);
	free(text);
}

static void print_stack(const struct dmm_object *obj)
{
	printf(obj->cmd == DMM_CMD_STACK_ADD ? "stack add " : "stack del ");
	print_instance(obj->instance, false);
}

static int print_event(void *arg, const struct dmm_object *obj)
{
	const struct app *app = arg;
	const char *name = event_name(obj->cmd);

	if (!name)
		return 0;
	if (app->json)
		print_json(obj, name);
	else if (obj->cmd == DMM_CMD_DECISION_GET)
		print_decision(obj->decision);
	else if (obj->cmd == DMM_CMD_TXN_COMMIT)
		printf("commit gen %llu\n", (unsigned long long)obj->txn->gen);
	else if (obj->cmd == DMM_CMD_STACK_ADD || obj->cmd == DMM_CMD_STACK_DEL)
		print_stack(obj);
	else
		print_change(obj);
	return 0;
}

static void print_lost(const struct app *app)
{
	puts(app->json ? "{\"event\":\"lost\"}" : "# events were lost");
}

/* What there is to be monitored. */
static const struct {
	const char *word;
	const char *group;
} kinds[] = {
	{ "rule", DMM_MCGRP_POLICY },
	{ "decision", DMM_MCGRP_DECISION },
	{ "stack", DMM_MCGRP_STACK },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* @wanted: bits. */
static int subscribe(struct dmm_client *events, unsigned int wanted)
{
	int err = 0;

	for (int i = 0; i < KINDS && !err; i++)
		if (wanted >> i & 1)
			err = dmm_subscribe(events, kinds[i].group);
	return err;
}

/* Events from here on are seen: what they change is this generation, or a later one. */
static int print_start(void *arg, const struct dmm_object *obj)
{
	const struct app *app = arg;
	unsigned long long gen = obj->stat->gen;

	printf(app->json ? "{\"event\":\"start\",\"gen\":%llu}\n" : "start gen %llu\n", gen);
	return 0;
}

static int read_events(struct app *app, struct dmm_client *events)
{
	int err = dmm_get(app->client, DMM_CMD_STAT_GET, NULL, print_start, app);

	if (err)
		return print_client_error(app, err);
	while (!err) {
		err = dmm_events(events, print_event, app);
		if (err == -ENOBUFS) {
			print_lost(app);
			err = 0;
		}
	}
	return print_error(dmm_client_error(events));
}

static int monitor(struct app *app, unsigned int wanted)
{
	struct dmm_client *events;
	int err, ret;

	err = dmm_open(&events);
	if (err) {
		fprintf(stderr, "dmmpolicy: netlink: %s\n", strerror(-err));
		return EXIT_KERNEL;
	}
	err = subscribe(events, wanted);
	ret = err ? print_error(dmm_client_error(events)) : read_events(app, events);
	dmm_close(events);
	return ret;
}

int cmd_monitor(struct app *app, int argc, char **argv)
{
	const char *what = argc ? argv[0] : "all";
	unsigned int wanted = 0;
	int ret;

	for (int i = 0; i < KINDS; i++)
		if (!strcmp(what, kinds[i].word) || !strcmp(what, "all"))
			wanted |= 1u << i;
	if (!wanted)
		return no_more_words(argc, argv);
	if (argc > 1)
		return no_more_words(argc - 1, argv + 1);
	ret = need_client(app);
	if (ret != EXIT_OK)
		return ret;
	/* Those who wait for an event must see it at once. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	return monitor(app, wanted);
}
