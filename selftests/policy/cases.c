// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy-cases FILE...: test cases in the policy's own language.
 *
 *	case NAME			a new test case, with an empty table
 *	LABEL: RULE			a rule; "stack kernel" if it does not say what to do
 *	del LABEL			it goes
 *	[explain] [mapped] connect TYPE REMOTE [KEY...] -> LABEL [REASON [refused]]
 *	[explain] [mapped] listen TYPE LOCAL [KEY...] -> LABEL [REASON [refused]]
 *	[explain] [mapped] accept TYPE LOCAL REMOTE [KEY...] -> LABEL [REASON [refused]]
 *					the rule that must decide this socket, and why; "default" is the built-in one;
 *					the socket does not take the congestion control
 *	src-zone|dst-zone NAME FLOW	FLOW as above, up to the arrow: in this zone
 *	counted N			options were refused N times since the case began
 *	anything else			a command of the language
 *
 * A line with an arrow is checked in three ways: explain says so, its list of the rules tried ends there, and a real
 * socket that is as the line says is decided so: the call fails or not, the log of decisions has it, and the rule's
 * options are on it. With "explain" no socket is made, with "mapped" one of IPv6 that uses v4-mapped addresses.
 */
#include "cases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <dmm/policy.h>

#include "kselftest.h"

#define LABELS		64
#define WORDS		64
#define DEFAULT		"default"

/* A rule of the test case, and what it sets. */
struct label {
	char name[32];
	uint32_t id;
	struct dmm_rule rule;
	char cc[16];
};

static struct dmm_client *client;
static struct dmm_parser *parser;
static struct label labels[LABELS];
static unsigned int nr_labels;

static const char *file;
static unsigned int line;
static char case_name[1024];
static bool case_failed;
static unsigned int case_flows;
static uint64_t option_errors;

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	ksft_note("%s:%u: %s", file, line, text);
	case_failed = true;
}

static void complain_error(const struct dmm_error *e)
{
	char text[400];

	dmm_error_format(text, sizeof(text), e);
	complain("%s", text);
}

/* Commands. */

static int apply(void *arg, const struct dmm_change *change)
{
	struct label *label = arg;
	int err = dmm_begin(client, NULL);

	if (!err && change->cmd == DMM_CMD_RULE_ADD && label)
		err = dmm_rule_add(client, change, &label->id);
	else if (!err)
		err = dmm_change(client, change);
	if (!err)
		err = dmm_commit(client, NULL);
	if (err) {
		complain_error(dmm_client_error(client));
		dmm_abort(client);
		return 0;
	}
	if (label) {
		label->rule = change->rule;
		if (change->rule.has & DMM_HAS(DMM_A_RULE_SET_CC))
			snprintf(label->cc, sizeof(label->cc), "%s", change->rule.set_cc);
	}
	return 0;
}

static void command(const char *text, struct label *label)
{
	if (dmm_parse_text(parser, file, line, text, strlen(text), apply, label))
		complain_error(dmm_parser_error(parser));
}

static struct label *find_label(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_labels; i++)
		if (!strcmp(labels[i].name, name))
			return &labels[i];
	complain("no label %s", name);
	return NULL;
}

static const char *label_of(uint32_t id)
{
	unsigned int i;

	for (i = 0; i < nr_labels; i++)
		if (labels[i].id == id)
			return labels[i].name;
	return id ? "a rule without label" : DEFAULT;
}

static void add_rule(const char *name, const char *rule)
{
	bool acts = strstr(rule, "stack ") || strstr(rule, "reject");
	struct label *label = &labels[nr_labels];
	char text[1024];

	if (nr_labels == LABELS) {
		complain("too many rules");
		return;
	}
	memset(label, 0, sizeof(*label));
	snprintf(label->name, sizeof(label->name), "%s", name);
	snprintf(text, sizeof(text), "rule add %s%s", rule, acts ? "" : " stack kernel");
	command(text, label);
	nr_labels++;
}

static void del_rule(const char *name)
{
	const struct label *label = find_label(name);
	char text[64];

	if (!label)
		return;
	snprintf(text, sizeof(text), "rule del id %u", label->id);
	command(text, NULL);
}

/* Flows. */

/* What of the flow lies in the parser's memory must survive the next use of it. */
static void keep_strings(struct dmm_explain *e)
{
	static char kept[4][DMM_CGROUP_MAX];
	const char **strings[] = { &e->cgroup, &e->dev, &e->comm, &e->want };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (!*strings[i])
			continue;
		snprintf(kept[i], sizeof(kept[i]), "%s", *strings[i]);
		*strings[i] = kept[i];
	}
}

/* accept TYPE LOCAL REMOTE ... is what the language calls listen TYPE LOCAL from REMOTE ... */
static int spell_accept(int argc, char **argv, char **out)
{
	int i;

	out[0] = "listen";
	out[1] = argv[1];
	out[2] = argv[2];
	out[3] = "from";
	for (i = 3; i < argc; i++)
		out[i + 1] = argv[i];
	return argc + 1;
}

static bool parse_flow(int argc, char **argv, struct flow *flow)
{
	char *spelt[WORDS + 1];

	memset(flow, 0, sizeof(*flow));
	if (argc && !strcmp(argv[0], "mapped")) {
		flow->mapped = true;
		argc--;
		argv++;
	}
	if (argc > 3 && !strcmp(argv[0], "accept")) {
		flow->accepted = true;
		argc = spell_accept(argc, argv, spelt);
		argv = spelt;
	}
	if (dmm_parse_explain(parser, argc, argv, &flow->e)) {
		complain_error(dmm_parser_error(parser));
		return false;
	}
	keep_strings(&flow->e);
	return true;
}

static int take_explain(void *arg, const struct dmm_object *obj)
{
	struct dmm_explain *e = arg;

	*e = *obj->explain;
	/* Strings end with the call. */
	e->stack = NULL;
	e->src_zone = strdup(e->has & DMM_HAS(DMM_A_EXPLAIN_SRC_ZONE) ? e->src_zone : "none");
	e->dst_zone = strdup(e->has & DMM_HAS(DMM_A_EXPLAIN_DST_ZONE) ? e->dst_zone : "none");
	return 0;
}

static bool explain(const struct flow *flow, struct dmm_explain *e)
{
	memset(e, 0, sizeof(*e));
	if (!dmm_get(client, DMM_CMD_EXPLAIN, &flow->e, take_explain, e))
		return true;
	complain_error(dmm_client_error(client));
	return false;
}

/* The rule of a list of those tried that matched, and whether it was the last. */
struct tried {
	uint32_t id;
	bool behind;
};

static int take_tried(void *arg, const struct dmm_object *obj)
{
	struct tried *t = arg;

	t->behind |= t->id != 0;
	if (!(obj->rule->has & DMM_HAS(DMM_A_RULE_MISMATCH)))
		t->id = obj->rule->id;
	return 0;
}

static void check_tried(const struct flow *flow, uint32_t id)
{
	struct tried t = { 0 };

	if (dmm_dump(client, DMM_CMD_EXPLAIN, &flow->e, take_tried, &t))
		complain_error(dmm_client_error(client));
	if (t.id != id || t.behind)
		complain("the list of rules tried ends with %s%s", label_of(t.id), t.behind ? ", not at once" : "");
}

static int take_decision(void *arg, const struct dmm_object *obj)
{
	*(struct dmm_decision *)arg = *obj->decision;
	return 0;
}

/* The last one that is remembered of this socket, or, of one that is gone, of all. */
static bool get_decision(uint64_t cookie, struct dmm_decision *d)
{
	struct dmm_decision req = { .has = DMM_HAS(DMM_A_DECISION_COOKIE), .cookie = cookie };
	int err;

	if (cookie)
		err = dmm_get(client, DMM_CMD_DECISION_GET, &req, take_decision, d);
	else
		err = dmm_dump(client, DMM_CMD_DECISION_GET, NULL, take_decision, d);
	if (err)
		complain_error(dmm_client_error(client));
	return !err;
}

static bool same_end(const struct dmm_prefix *wanted, bool given, const struct dmm_prefix *addr)
{
	static const struct dmm_prefix any;

	return addr->len == (addr->family == AF_INET ? 32 : 128) &&
	       !memcmp(addr->addr, given ? wanted->addr : any.addr, sizeof(any.addr));
}

static void check_decision(const struct flow *flow, const struct dmm_explain *e, uint64_t cookie)
{
	struct dmm_decision d = { 0 };

	if (!get_decision(cookie, &d))
		return;
	if (d.rule != e->rule || d.reason != e->reason || d.error != e->error || d.verdict != e->verdict ||
	    d.gen != e->gen)
		complain("the log has rule %s, reason %s, error %u", label_of(d.rule), dmm_reason_name(d.reason), d.error);
	/* Without a port the kernel may have chosen one. */
	if (d.role != flow->e.role || d.type != flow->e.type || d.family != flow->e.family ||
	    (flow->e.sport && d.sport != flow->e.sport) || d.dport != flow->e.dport || !same_end(&flow->e.src, flow->e.has & DMM_HAS(DMM_A_EXPLAIN_SRC), &d.src) ||
	    !same_end(&flow->e.dst, flow->e.has & DMM_HAS(DMM_A_EXPLAIN_DST), &d.dst))
		complain("the log has another socket");
}

static void check_value(const char *name, uint32_t expected, uint32_t value)
{
	if (value != expected)
		complain("%s is %u, not %u", name, value, expected);
}

static void check_cc(const struct label *label, const struct outcome *o, bool refused)
{
	if (!strcmp(label->cc, o->cc) == refused)
		complain("the congestion control is %s, the rule's is %s", o->cc, label->cc);
}

static void check_options(const struct label *label, const struct flow *flow, const struct outcome *o, bool refused)
{
	const struct dmm_rule *r = &label->rule;

	if (r->has & DMM_HAS(DMM_A_RULE_SET_MARK))
		check_value("the mark", r->set_mark, o->mark);
	if (r->has & DMM_HAS(DMM_A_RULE_SET_TOS))
		/* Of TCP the kernel keeps the two bits for itself. */
		check_value("tos", flow->e.type == SOCK_STREAM ? r->set_tos & ~3 : r->set_tos,
			    flow->e.type == SOCK_STREAM ? o->tos & ~3 : o->tos);
	if (flow->e.type != SOCK_STREAM)
		return;
	if (r->has & DMM_HAS(DMM_A_RULE_SET_CC))
		check_cc(label, o, refused);
	if (r->has & (DMM_HAS(DMM_A_RULE_SET_KEEPIDLE) | DMM_HAS(DMM_A_RULE_SET_KEEPINTVL) |
		      DMM_HAS(DMM_A_RULE_SET_KEEPCNT)))
		check_value("SO_KEEPALIVE", 1, o->keepalive);
	if (r->has & DMM_HAS(DMM_A_RULE_SET_KEEPIDLE))
		check_value("TCP_KEEPIDLE", r->set_keepidle, o->keepidle);
	if (r->has & DMM_HAS(DMM_A_RULE_SET_KEEPINTVL))
		check_value("TCP_KEEPINTVL", r->set_keepintvl, o->keepintvl);
	if (r->has & DMM_HAS(DMM_A_RULE_SET_KEEPCNT))
		check_value("TCP_KEEPCNT", r->set_keepcnt, o->keepcnt);
}

static void check_socket(const struct flow *flow, const struct dmm_explain *e, const struct label *label, bool refused)
{
	struct outcome o;

	socket_try(flow, &o);
	if (*o.failed) {
		complain("%s", o.failed);
		return;
	}
	if (o.err != (int)e->error)
		complain("the call ends with \"%s\"", strerror(o.err));
	check_decision(flow, e, o.cookie);
	if (label && !o.err)
		check_options(label, flow, &o, refused);
}

/* The flow is in argv[0..argc), what is expected of it behind. */
static void check_flow(int argc, char **argv, const char *name, const char *reason, bool refused)
{
	bool ask_only = argc && !strcmp(argv[0], "explain");
	const struct label *label = NULL;
	struct dmm_explain e;
	struct flow flow;

	case_flows++;
	if (strcmp(name, DEFAULT)) {
		label = find_label(name);
		if (!label)
			return;
	} else if (!reason) {
		reason = "default";
	}
	if (!parse_flow(argc - ask_only, argv + ask_only, &flow) || !explain(&flow, &e))
		return;
	if (e.rule != (label ? label->id : 0))
		complain("decided by %s, not by %s", label_of(e.rule), name);
	if (reason && strcmp(reason, dmm_reason_name(e.reason)))
		complain("reason %s, not %s", dmm_reason_name(e.reason), reason);
	check_tried(&flow, e.rule);
	if (!ask_only)
		check_socket(&flow, &e, label, refused);
}

static void check_zone(int argc, char **argv)
{
	bool remote = !strcmp(argv[0], "dst-zone");
	struct dmm_explain e;
	struct flow flow;
	const char *zone;

	case_flows++;
	if (!parse_flow(argc - 2, argv + 2, &flow) || !explain(&flow, &e))
		return;
	zone = remote ? e.dst_zone : e.src_zone;
	if (strcmp(zone, argv[1]))
		complain("in zone %s, not %s", zone, argv[1]);
}

/* Test cases. */

static int take_option_errors(void *arg, const struct dmm_object *obj)
{
	*(uint64_t *)arg = obj->stat->option_errors;
	return 0;
}

static uint64_t get_option_errors(void)
{
	uint64_t nr = 0;

	dmm_get(client, DMM_CMD_STAT_GET, NULL, take_option_errors, &nr);
	return nr;
}

static void end_case(void)
{
	if (*case_name)
		ksft_result(!case_failed, "%s (%u)", case_name, case_flows);
	*case_name = '\0';
}

static void begin_case(const char *name)
{
	end_case();
	snprintf(case_name, sizeof(case_name), "%s", name);
	case_failed = false;
	case_flows = 0;
	nr_labels = 0;
	command("flush all", NULL);
	option_errors = get_option_errors();
}

static int split(char *text, char **words)
{
	char *word, *rest = NULL;
	int n = 0;

	for (word = strtok_r(text, " \t", &rest); word && n < WORDS - 1; word = strtok_r(NULL, " \t", &rest))
		words[n++] = word;
	words[n] = NULL;
	return n;
}

static int find_word(char **words, const char *word)
{
	int i;

	for (i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	return -1;
}

static void run_line(char *text)
{
	char copy[1024], *words[WORDS];
	int n, arrow;

	text[strcspn(text, "#\n")] = '\0';
	snprintf(copy, sizeof(copy), "%s", text);
	n = split(copy, words);
	if (!n)
		return;
	arrow = find_word(words, "->");
	if (!strcmp(words[0], "case"))
		begin_case(text + 5);
	else if (words[0][strlen(words[0]) - 1] == ':') {
		words[0][strlen(words[0]) - 1] = '\0';
		add_rule(words[0], strchr(text, ':') + 1);
	} else if (arrow > 0 && words[arrow + 1])
		check_flow(arrow, words, words[arrow + 1], words[arrow + 2],
			   words[arrow + 2] && words[arrow + 3] && !strcmp(words[arrow + 3], "refused"));
	else if (n > 3 && (!strcmp(words[0], "src-zone") || !strcmp(words[0], "dst-zone")))
		check_zone(n, words);
	else if (n == 2 && !strcmp(words[0], "del"))
		del_rule(words[1]);
	else if (n == 2 && !strcmp(words[0], "counted"))
		check_value("the number of options refused", atoi(words[1]), get_option_errors() - option_errors);
	else
		command(text, NULL);
}

static void run_file(const char *path)
{
	char text[1024];
	FILE *f = fopen(path, "re");

	file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	line = 0;
	if (!f) {
		ksft_result(false, "%s: %s", path, strerror(errno));
		return;
	}
	while (fgets(text, sizeof(text), f)) {
		line++;
		run_line(text);
	}
	end_case();
	fclose(f);
}

int main(int argc, char **argv)
{
	int i;

	ksft_header();
	if (geteuid())
		ksft_skip_all("needs root");
	if (!socket_namespace())
		ksft_result(false, "a network namespace");
	if (dmm_open(&client) || dmm_parser_new(&parser))
		ksft_skip_all("the module is not loaded");
	for (i = 1; i < argc; i++)
		run_file(argv[i]);
	ksft_finish();
}
