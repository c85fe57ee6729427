// SPDX-License-Identifier: Apache-2.0
/* dmmpolicy: stacks and their instances. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dmmpolicy.h"

static const struct dmm_field *field(unsigned int attr)
{
	unsigned int nr;

	return &dmm_fields(DMM_CMD_STACK_GET, &nr)[attr];
}

static void print_bits(uint32_t bits)
{
	const struct dmm_field *f = field(DMM_A_STACK_CAPS);
	const char *separator = "";

	for (unsigned int i = 0; i < 32; i++) {
		if (!(bits >> i & 1))
			continue;
		if (i < f->nr_names)
			printf("%s%s", separator, f->names[i]);
		else
			printf("%s%u", separator, i);
		separator = ",";
	}
}

static void print_addresses(const struct dmm_prefixes *list)
{
	char text[64];

	for (uint32_t i = 0; i < list->nr; i++) {
		dmm_prefix_format(text, sizeof(text), &list->v[i]);
		printf("%s%s", i ? "," : " addresses ", text);
	}
}

static void print_counters(const struct dmm_instance *inst)
{
	for (unsigned int i = DMM_A_STACK_CONNECTS; i <= DMM_A_STACK_EVENTS_UP; i++) {
		const struct dmm_field *f = field(i);

		if (inst->has & DMM_HAS(i))
			printf(" %s %llu", f->name, (unsigned long long)
			       *(const uint64_t *)((const char *)inst + f->offset));
	}
}

void print_instance(const struct dmm_instance *inst, bool counters)
{
	const struct dmm_field *health = field(DMM_A_STACK_HEALTH);

	printf("%s@%s pid %u comm \"%s\" health %s", inst->stack ? inst->stack : "?",
	       inst->instance ? inst->instance : "?", inst->pid, inst->comm ? inst->comm : "?",
	       inst->health < health->nr_names ? health->names[inst->health] : "?");
	if (inst->shared)
		printf(" shared");
	printf(" caps ");
	print_bits(inst->caps);
	printf(" weight %u queues %u live %u listeners %u conns-max %u arena %llu takeovers %u",
	       inst->weight, inst->queues, inst->live, inst->listeners, inst->conns_max,
	       (unsigned long long)inst->arena, inst->takeovers);
	print_addresses(&inst->addresses);
	if (counters)
		print_counters(inst);
	putchar('\n');
}

static int show_instance(void *arg, const struct dmm_object *obj)
{
	struct output *out = arg;

	if (out->app->json)
		output_json(out, json_of(DMM_CMD_STACK_GET, obj->instance));
	else
		print_instance(obj->instance, out->app->counters);
	return 0;
}

/* The kernel's own stack has no instance; what it did is in the counters of the namespace. */
static int show_kernel(void *arg, const struct dmm_object *obj)
{
	const struct dmm_stat *s = obj->stat;
	struct output *out = arg;

	if (out->app->json)
		output_json(out, json_pack("{s:s,s:I,s:I,s:I}", "stack", "kernel", "connects",
					   (json_int_t)s->connects, "accepts",
					   (json_int_t)s->accepts, "listeners",
					   (json_int_t)s->listeners));
	else
		printf("kernel connects %llu accepts %llu listeners %u\n",
		       (unsigned long long)s->connects, (unsigned long long)s->accepts,
		       s->listeners);
	return 0;
}

/* STACK or STACK@INSTANCE, whose words go to @name. */
static int parse_name(struct dmm_instance *req, char name[DMM_NAME_MAX], const char *word)
{
	char *at;

	if (strlen(word) >= DMM_NAME_MAX)
		return usage_error("the name of the stack is too long");
	strcpy(name, word);
	at = strchr(name, '@');
	*req = (struct dmm_instance){ .has = DMM_HAS(DMM_A_STACK_STACK), .stack = name };
	if (at) {
		*at = '\0';
		req->has |= DMM_HAS(DMM_A_STACK_INSTANCE);
		req->instance = at + 1;
	}
	return EXIT_OK;
}

static int show(struct app *app, const struct dmm_instance *req)
{
	struct output out;
	int err = 0;

	output_begin(&out, app);
	if (!req->stack || !strcmp(req->stack, "kernel"))
		err = dmm_get(app->client, DMM_CMD_STAT_GET, NULL, show_kernel, &out);
	if (!err)
		err = dmm_dump(app->client, DMM_CMD_STACK_GET, req, show_instance, &out);
	output_end(&out);
	return err ? print_client_error(app, err) : EXIT_OK;
}

int cmd_stack_show(struct app *app, int argc, char **argv)
{
	struct dmm_instance req = { 0 };
	char name[DMM_NAME_MAX];
	int ret = argc > 1 ? no_more_words(argc - 1, argv + 1) : EXIT_OK;

	if (ret == EXIT_OK && argc)
		ret = parse_name(&req, name, argv[0]);
	if (ret == EXIT_OK)
		ret = need_client(app);
	return ret == EXIT_OK ? show(app, &req) : ret;
}

/* share, unshare: STACK@INSTANCE netns { NAME | PID } */

struct share {
	struct dmm_instance req;
	char name[DMM_NAME_MAX];
	int fd;
};

/* A number is a process, all else a name as of ip-netns(8), or a path. */
static int find_netns(struct share *s, const char *word)
{
	char path[4096], *end;
	unsigned long pid = strtoul(word, &end, 10);

	if (*word && !*end) {
		s->req.netns_pid = pid;
		s->req.has |= DMM_HAS(DMM_A_STACK_NETNS_PID);
		return EXIT_OK;
	}
	snprintf(path, sizeof(path), "%s%s", strchr(word, '/') ? "" : "/run/netns/", word);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0) {
		fprintf(stderr, "dmmpolicy: network namespace %s: %s\n", word, strerror(errno));
		return EXIT_USAGE;
	}
	s->req.netns_fd = s->fd;
	s->req.has |= DMM_HAS(DMM_A_STACK_NETNS_FD);
	return EXIT_OK;
}

static int parse_share(struct share *s, int argc, char **argv)
{
	int ret;

	*s = (struct share){ .fd = -1 };
	if (argc < 3 || strcmp(argv[1], "netns"))
		return usage_error("expected STACK@INSTANCE netns NAME or PID");
	if (argc > 3)
		return no_more_words(argc - 3, argv + 3);
	ret = parse_name(&s->req, s->name, argv[0]);
	if (ret != EXIT_OK)
		return ret;
	if (!s->req.instance)
		return usage_error("which instance: expected STACK@INSTANCE");
	return find_netns(s, argv[2]);
}

static int share(struct app *app, unsigned int cmd, int argc, char **argv)
{
	struct share s;
	int err, ret = parse_share(&s, argc, argv);

	if (ret == EXIT_OK)
		ret = need_client(app);
	if (ret == EXIT_OK) {
		err = dmm_do(app->client, cmd, &s.req);
		ret = err ? print_client_error(app, err) : EXIT_OK;
	}
	if (s.fd >= 0)
		close(s.fd);
	return ret;
}

int cmd_stack_share(struct app *app, int argc, char **argv)
{
	return share(app, DMM_CMD_STACK_SHARE, argc, argv);
}

int cmd_stack_unshare(struct app *app, int argc, char **argv)
{
	return share(app, DMM_CMD_STACK_UNSHARE, argc, argv);
}

int cmd_stack_flush(struct app *app, int argc, char **argv)
{
	int err, ret = no_more_words(argc, argv);

	if (ret == EXIT_OK)
		ret = need_client(app);
	if (ret != EXIT_OK)
		return ret;
	err = dmm_do(app->client, DMM_CMD_STACK_FLUSH, NULL);
	return err ? print_client_error(app, err) : EXIT_OK;
}
