// SPDX-License-Identifier: Apache-2.0
/* dmmpolicy: what would be decided for a socket, and why. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dmmpolicy.h"

struct explanation {
	const struct app *app;
	json_t *json;		/* the answer, with the rules tried */
	json_t *tried;
	bool matched;
};

static bool has(const struct dmm_explain *e, unsigned int attr)
{
	return e->has & DMM_HAS(attr);
}

static void print_reason(unsigned int reason)
{
	const char *name = dmm_reason_name(reason);

	if (name)
		printf(" reason %s", name);
	else
		printf(" reason %u", reason);
}

static void print_answer(const struct dmm_explain *e)
{
	if (has(e, DMM_A_EXPLAIN_STACK))
		printf("stack %s", e->stack);
	else
		printf("%s", e->verdict == DMM_VERDICT_REJECT ? "reject" : "no stack");
	if (has(e, DMM_A_EXPLAIN_REASON))
		print_reason(e->reason);
	if (has(e, DMM_A_EXPLAIN_RULE))
		printf(" rule %u prio %u", e->rule, e->prio);
	if (e->error)
		printf(" error \"%s\"", strerror(e->error));
	if (has(e, DMM_A_EXPLAIN_SRC_ZONE) && e->src_zone[0])
		printf(" src-zone %s", e->src_zone);
	if (has(e, DMM_A_EXPLAIN_DST_ZONE) && e->dst_zone[0])
		printf(" dst-zone %s", e->dst_zone);
	printf(" gen %llu", (unsigned long long)e->gen);
	if (has(e, DMM_A_EXPLAIN_PS))
		printf(" time %llu.%03llu ns", (unsigned long long)e->ps / 1000,
		       (unsigned long long)e->ps % 1000);
	putchar('\n');
}

static void print_candidates(const struct dmm_candidates *list)
{
	for (uint32_t i = 0; i < list->nr; i++) {
		const struct dmm_candidate *c = &list->v[i];
		const char *status = dmm_candidate_name(c->status);
		bool named = strchr(c->stack, '@') || !c->instance[0];

		printf("  candidate %s%s%s: %s", c->stack, named ? "" : "@",
		       named ? "" : c->instance, status ? status : "?");
		if (c->instance[0])
			printf(" weight %u live %u", c->weight, c->live);
		putchar('\n');
	}
}

static int take_answer(void *arg, const struct dmm_object *obj)
{
	struct explanation *x = arg;

	if (x->app->json)
		x->json = json_of(DMM_CMD_EXPLAIN, obj->explain);
	if (x->app->json)
		return 0;
	print_answer(obj->explain);
	print_candidates(&obj->explain->candidates);
	return 0;
}

static int take_rule(void *arg, const struct dmm_object *obj)
{
	const struct dmm_rule *rule = obj->rule;
	bool matches = !(rule->has & DMM_HAS(DMM_A_RULE_MISMATCH)) ||
		       rule->mismatch == DMM_KEY_NONE;
	const char *key = dmm_key_name(rule->mismatch);
	struct explanation *x = arg;

	x->matched |= matches;
	if (x->app->json) {
		json_array_append_new(x->tried, json_of(DMM_CMD_RULE_GET, rule));
		return 0;
	}
	printf("  ");
	print_rule(rule, x->app->counters);
	if (matches)
		printf(": matches\n");
	else
		printf(": %s does not match\n", key ? key : "a key");
	return 0;
}

static void print_end(struct explanation *x)
{
	struct output out;

	if (!x->app->json) {
		if (!x->matched)
			printf("  built-in stack kernel: matches\n");
		return;
	}
	output_begin(&out, x->app);
	json_object_set(x->json, "tried", x->tried);
	output_json(&out, json_incref(x->json));
	output_end(&out);
}

int cmd_explain(struct app *app, int argc, char **argv)
{
	struct explanation x = { .app = app };
	struct dmm_explain req;
	int err, ret;

	err = dmm_parse_explain(app->parser, argc, argv, &req);
	if (err)
		return print_parse_error(app, err);
	ret = need_client(app);
	if (ret != EXIT_OK)
		return ret;
	x.tried = json_array();
	err = dmm_get(app->client, DMM_CMD_EXPLAIN, &req, take_answer, &x);
	req.has &= ~DMM_HAS(DMM_A_EXPLAIN_REPEAT);
	if (!err)
		err = dmm_dump(app->client, DMM_CMD_EXPLAIN, &req, take_rule, &x);
	if (!err)
		print_end(&x);
	json_decref(x.tried);
	json_decref(x.json);
	return err ? print_client_error(app, err) : EXIT_OK;
}
