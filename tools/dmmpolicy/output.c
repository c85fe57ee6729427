// SPDX-License-Identifier: Apache-2.0
/* dmmpolicy: objects as JSON and as text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmmpolicy.h"

void output_begin(struct output *out, const struct app *app)
{
	*out = (struct output){ .app = app };
	if (app->json)
		putchar('[');
}

void output_end(struct output *out)
{
	if (out->app->json)
		puts(out->nr ? "\n]" : "]");
}

void output_json(struct output *out, json_t *obj)
{
	putchar(out->nr++ ? ',' : '\n');
	if (out->nr > 1)
		putchar('\n');
	json_dumpf(obj, stdout, out->app->pretty ? JSON_INDENT(4) : JSON_COMPACT);
	json_decref(obj);
}

static json_t *json_of_prefix(const struct dmm_prefix *p)
{
	char text[64];

	dmm_prefix_format(text, sizeof(text), p);
	return json_string(text);
}

static json_t *json_of_prefixes(const struct dmm_prefixes *list)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < list->nr; i++)
		json_array_append_new(array, json_of_prefix(&list->v[i]));
	return array;
}

/* A port is a number, a range an object, as nft(8) has them. */
static json_t *json_of_ports(const struct dmm_ports *list)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < list->nr; i++) {
		const struct dmm_port_range *r = &list->v[i];

		if (r->lo == r->hi)
			json_array_append_new(array, json_integer(r->lo));
		else
			json_array_append_new(array, json_pack("{s:[i,i]}", "range", r->lo, r->hi));
	}
	return array;
}

static json_t *json_of_names(const struct dmm_names *list)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < list->nr; i++)
		json_array_append_new(array, json_string(list->v[i]));
	return array;
}

static json_t *json_of_members(const struct dmm_members *list)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < list->nr; i++)
		json_array_append_new(array, json_pack("{s:s,s:I}", "stack", list->v[i].name, "weight",
						       (json_int_t)list->v[i].weight));
	return array;
}

/* What is not known of a stack without instance is absent. */
static json_t *json_of_candidate(const struct dmm_candidate *c)
{
	const char *status = dmm_candidate_name(c->status);
	json_t *obj = json_pack("{s:s,s:s}", "stack", c->stack, "status", status ? status : "?");

	if (c->instance[0]) {
		json_object_set_new(obj, "instance", json_string(c->instance));
		json_object_set_new(obj, "weight", json_integer(c->weight));
		json_object_set_new(obj, "live", json_integer(c->live));
	}
	return obj;
}

static json_t *json_of_candidates(const struct dmm_candidates *list)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < list->nr; i++)
		json_array_append_new(array, json_of_candidate(&list->v[i]));
	return array;
}

/* Bits by name; those that this program does not know by number. */
static json_t *json_of_bits(const struct dmm_field *f, uint32_t bits)
{
	json_t *array = json_array();

	for (unsigned int i = 0; bits >> i && i < 32; i++)
		if (bits >> i & 1)
			json_array_append_new(array, i < f->nr_names ? json_string(f->names[i]) :
								       json_integer(i));
	return array;
}

/* Counters by name; those that this program does not know by number. */
static json_t *json_of_counters(const struct dmm_field *f, const struct dmm_counters *c)
{
	json_t *obj = json_object();
	char number[16];

	for (uint32_t i = 0; i < c->nr; i++) {
		const char *name = i < f->nr_names ? f->names[i] : NULL;

		snprintf(number, sizeof(number), "%u", i);
		json_object_set_new(obj, name ? name : number, json_integer(c->v[i]));
	}
	return obj;
}

static json_t *json_of_int(const struct dmm_field *f, uint64_t v)
{
	if (v < f->nr_names && f->names[v])
		return json_string(f->names[v]);
	return json_integer(v);
}

/* A string of the kernel's may be no UTF-8. */
static json_t *json_of_str(const char *s)
{
	json_t *str = json_string(s);

	return str ? str : json_string("?");
}

static json_t *json_of_field(const struct dmm_field *f, const void *obj)
{
	const void *p = (const char *)obj + f->offset;

	switch (f->kind) {
	case DMM_KIND_U8:
		return json_of_int(f, *(const uint8_t *)p);
	case DMM_KIND_U16:
		return json_of_int(f, *(const uint16_t *)p);
	case DMM_KIND_U32:
		return json_of_int(f, *(const uint32_t *)p);
	case DMM_KIND_U64:
		return json_of_int(f, *(const uint64_t *)p);
	case DMM_KIND_STR:
		return json_of_str(*(const char *const *)p);
	case DMM_KIND_PREFIX:
		return json_of_prefix(p);
	case DMM_KIND_PREFIXES:
		return json_of_prefixes(p);
	case DMM_KIND_PORTS:
		return json_of_ports(p);
	case DMM_KIND_NAMES:
		return json_of_names(p);
	case DMM_KIND_MEMBERS:
		return json_of_members(p);
	case DMM_KIND_CANDIDATES:
		return json_of_candidates(p);
	case DMM_KIND_BITS:
		return json_of_bits(f, *(const uint32_t *)p);
	case DMM_KIND_COUNTERS:
		return json_of_counters(f, p);
	default:
		return NULL;
	}
}

static void snake_case(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
	for (; *to; to++)
		if (*to == '-')
			*to = '_';
}

static void set_flags(json_t *json, uint32_t flags)
{
	json_object_set_new(json, "strict", json_boolean(flags & DMM_RULE_F_STRICT));
	if (flags & DMM_RULE_F_RACE_KERNEL)
		json_object_set_new(json, "race_kernel", json_true());
}

json_t *json_of(unsigned int cmd, const void *obj)
{
	uint64_t has = *(const uint64_t *)obj;
	json_t *json = json_object();
	const struct dmm_field *f;
	unsigned int nr;
	char name[32];

	f = dmm_fields(cmd, &nr);
	for (unsigned int i = 0; i < nr; i++) {
		if (!(has & DMM_HAS(i)))
			continue;
		snake_case(name, sizeof(name), f[i].name);
		if (!strcmp(name, "flags"))
			set_flags(json, ((const struct dmm_rule *)obj)->flags);
		else
			json_object_set_new(json, name, json_of_field(&f[i], obj));
	}
	return json;
}

static char *allocate(size_t size)
{
	char *text = malloc(size);

	if (!text) {
		fprintf(stderr, "dmmpolicy: out of memory\n");
		exit(EXIT_USAGE);
	}
	return text;
}

/* Most texts fit at the first attempt. */
enum { TEXT_SIZE = 512 };

char *text_of_rule(const struct dmm_rule *rule)
{
	char *text = allocate(TEXT_SIZE);
	size_t len = dmm_rule_format(text, TEXT_SIZE, rule);

	if (len >= TEXT_SIZE) {
		free(text);
		text = allocate(len + 1);
		dmm_rule_format(text, len + 1, rule);
	}
	return text;
}

char *text_of_change(const struct dmm_change *ch)
{
	char *text = allocate(TEXT_SIZE);
	size_t len = dmm_change_format(text, TEXT_SIZE, ch);

	if (len >= TEXT_SIZE) {
		free(text);
		text = allocate(len + 1);
		dmm_change_format(text, len + 1, ch);
	}
	return text;
}

unsigned int origin_of_change(const struct dmm_change *ch)
{
	switch (ch->cmd) {
	case DMM_CMD_ZONE_ADD:
		return ch->zone.origin;
	case DMM_CMD_SET_ADD:
		return ch->set.origin;
	case DMM_CMD_GROUP_ADD:
	case DMM_CMD_GROUP_SET:
		return ch->group.origin;
	default:
		return ch->rule.origin;
	}
}

void print_rule(const struct dmm_rule *rule, bool counters)
{
	char *text = text_of_rule(rule);

	if (rule->has & DMM_HAS(DMM_A_RULE_ID))
		printf("id %u ", rule->id);
	printf("%s", text);
	if (counters && rule->has & DMM_HAS(DMM_A_RULE_HITS))
		printf(" hits %llu", (unsigned long long)rule->hits);
	free(text);
}
