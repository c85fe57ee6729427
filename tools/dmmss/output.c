// SPDX-License-Identifier: Apache-2.0
/* dmmss: tables and JSON. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <jansson.h>

#include "dmmss.h"

enum {
	NETID, STATE, RECV_Q, SEND_Q, LOCAL, PEER, STACK, RULE, REASON, RINGS, INFO, USERS, COLUMNS
};

static const char *const titles[COLUMNS] = {
	"Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port",
	"Stack", "Rule", "Reason", "Rings", "Info", "Process",
};

/* As ss(8) calls them. */
static const char *const states[] = {
	[TCP_ESTABLISHED] = "ESTAB", [TCP_SYN_SENT] = "SYN-SENT", [TCP_SYN_RECV] = "SYN-RECV",
	[TCP_FIN_WAIT1] = "FIN-WAIT-1", [TCP_FIN_WAIT2] = "FIN-WAIT-2",
	[TCP_TIME_WAIT] = "TIME-WAIT", [TCP_CLOSE] = "UNCONN", [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCP_LAST_ACK] = "LAST-ACK", [TCP_LISTEN] = "LISTEN", [TCP_CLOSING] = "CLOSING",
};

static const char *state_name(const struct entry *s)
{
	if (!s->live && !s->held)
		return "GONE";
	if (s->state < sizeof(states) / sizeof(states[0]) && states[s->state])
		return states[s->state];
	return "?";
}

static const char *netid(const struct entry *s)
{
	return s->type == SOCK_STREAM ? "tcp" : "udp";
}

static const char *reason_name(unsigned int reason)
{
	const char *name = dmm_reason_name(reason);

	return name ? name : "?";
}

static void format_addr(char *buf, size_t size, const struct dmm_prefix *p)
{
	if (!p->family || !inet_ntop(p->family, p->addr, buf, size))
		snprintf(buf, size, "*");
}

static void format_port(char *buf, size_t size, uint16_t port, const char *proto, bool numeric)
{
	const struct servent *ent = NULL;

	if (port && !numeric)
		ent = getservbyport(htons(port), proto);
	if (!port)
		snprintf(buf, size, "*");
	else if (ent)
		snprintf(buf, size, "%s", ent->s_name);
	else
		snprintf(buf, size, "%u", port);
}

static char *format_endpoint(const struct entry *s, const struct dmm_prefix *addr, uint16_t port,
			     const struct options *o)
{
	char a[INET6_ADDRSTRLEN], p[64], *text;

	format_addr(a, sizeof(a), addr);
	format_port(p, sizeof(p), port, netid(s), o->numeric);
	if (asprintf(&text, addr->family == AF_INET6 ? "[%s]:%s" : "%s:%s", a, p) < 0)
		return NULL;
	return text;
}

static char *format_holders(const struct entry *s, const struct holders *h)
{
	const struct holder *who;
	char *text = NULL;
	size_t nr, size;
	FILE *f;

	who = holders_find(h, s->inode, &nr);
	if (!nr)
		return strdup("");
	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	fprintf(f, "users:(");
	for (size_t i = 0; i < nr; i++)
		fprintf(f, "%s(\"%s\",pid=%d,fd=%d)", i ? "," : "", who[i].comm, who[i].pid,
			who[i].fd);
	fprintf(f, ")");
	fclose(f);
	return text;
}

static char *format_number(uint32_t n, bool present)
{
	char text[16] = "-";

	if (present)
		snprintf(text, sizeof(text), "%u", n);
	return strdup(text);
}

static char *format_stack(const struct entry *s)
{
	char *text;

	if (!s->instance[0])
		return strdup(s->stack[0] ? s->stack : "-");
	return asprintf(&text, "%s@%s", s->stack, s->instance) < 0 ? NULL : text;
}

/* Where the socket is in its instance, and how full its rings are. */
static char *format_rings(const struct entry *s)
{
	char *text;

	if (!s->instance[0])
		return strdup("-");
	return asprintf(&text, "q%u,rx:%u/%u,tx:%u/%u", s->queue, s->rx_used, s->rx_size,
			s->tx_used, s->tx_size) < 0 ? NULL : text;
}

/* Times in milliseconds, as ss(8) has them. */
static char *format_info(const struct info *i)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (i->rto)
		fprintf(f, "rto:%g ", i->rto / 1e3);
	if (i->rtt)
		fprintf(f, "rtt:%g/%g ", i->rtt / 1e3, i->rttvar / 1e3);
	if (i->mss)
		fprintf(f, "mss:%u ", i->mss);
	if (i->cwnd)
		fprintf(f, "cwnd:%u ", i->cwnd);
	/* TCP's "none yet" is a large number. */
	if (i->ssthresh && i->ssthresh < 0xffff)
		fprintf(f, "ssthresh:%u ", i->ssthresh);
	if (i->unacked)
		fprintf(f, "unacked:%u ", i->unacked);
	if (i->retrans || i->retrans_total)
		fprintf(f, "retrans:%u/%u ", i->retrans, i->retrans_total);
	if (i->bytes_acked)
		fprintf(f, "bytes_acked:%llu ", (unsigned long long)i->bytes_acked);
	if (i->bytes_received)
		fprintf(f, "bytes_received:%llu ", (unsigned long long)i->bytes_received);
	fclose(f);
	if (size)
		text[size - 1] = 0;
	else
		strcpy(text, "-");
	return text;
}

static void format_row(char **row, const struct entry *s, const struct holders *h,
		       const struct options *o)
{
	row[NETID] = strdup(netid(s));
	row[STATE] = strdup(state_name(s));
	row[RECV_Q] = format_number(s->recv_q, true);
	row[SEND_Q] = format_number(s->send_q, true);
	row[LOCAL] = format_endpoint(s, &s->src, s->sport, o);
	row[PEER] = format_endpoint(s, &s->dst, s->dport, o);
	row[STACK] = format_stack(s);
	row[RULE] = format_number(s->rule, s->rule);
	row[REASON] = strdup(reason_name(s->reason));
	row[RINGS] = format_rings(s);
	row[INFO] = format_info(&s->info);
	row[USERS] = format_holders(s, h);
}

static bool is_shown(int column, const struct options *o)
{
	return (column != RINGS || o->rings) && (column != INFO || o->info) && (column != USERS || o->processes);
}

static void print_row(char *const *row, const size_t *width, const struct options *o)
{
	int last = o->processes ? USERS : o->info ? INFO : o->rings ? RINGS : REASON;

	for (int c = 0; c < last; c++)
		if (is_shown(c, o))
			printf("%-*s ", (int)width[c], row[c] ? row[c] : "");
	printf("%s\n", row[last] ? row[last] : "");
}

static void widen(size_t *width, char *const *row)
{
	for (int c = 0; c < COLUMNS; c++) {
		size_t len = row[c] ? strlen(row[c]) : 0;

		if (len > width[c])
			width[c] = len;
	}
}

static void free_rows(char *(*rows)[COLUMNS], size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		for (int c = 0; c < COLUMNS; c++)
			free(rows[i][c]);
	free(rows);
}

void print_table(const struct entries *e, const struct holders *h, const struct options *o)
{
	char *(*rows)[COLUMNS] = calloc(e->nr + 1, sizeof(*rows));
	size_t width[COLUMNS] = { 0 };

	if (!rows)
		return;
	if (o->header)
		widen(width, (char *const *)titles);
	for (size_t i = 0; i < e->nr; i++) {
		format_row(rows[i], &e->v[i], h, o);
		widen(width, rows[i]);
	}
	if (o->header)
		print_row((char *const *)titles, width, o);
	for (size_t i = 0; i < e->nr; i++)
		print_row(rows[i], width, o);
	free_rows(rows, e->nr);
}

static void set_endpoint(json_t *json, const char *addr_key, const char *port_key,
			 const struct dmm_prefix *addr, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	if (!addr->family)
		return;
	format_addr(text, sizeof(text), addr);
	json_object_set_new(json, addr_key, json_string(text));
	json_object_set_new(json, port_key, json_integer(port));
}

static json_t *json_of_holders(const struct holder *who, size_t nr)
{
	json_t *array = json_array();

	for (size_t i = 0; i < nr; i++)
		json_array_append_new(array, json_pack("{s:s,s:i,s:i}", "name", who[i].comm,
						       "pid", who[i].pid, "fd", who[i].fd));
	return array;
}

static void set_decision(json_t *json, const struct entry *s)
{
	if (s->stack[0])
		json_object_set_new(json, "stack", json_string(s->stack));
	if (s->rule) {
		json_object_set_new(json, "rule", json_integer(s->rule));
		json_object_set_new(json, "prio", json_integer(s->prio));
	}
	json_object_set_new(json, "reason", json_string(reason_name(s->reason)));
	if (!s->time)
		return;
	json_object_set_new(json, "time", json_integer(s->time));
	json_object_set_new(json, "pid", json_integer(s->pid));
	if (s->comm[0])
		json_object_set_new(json, "comm", json_string(s->comm));
}

static void set_instance(json_t *json, const struct entry *s)
{
	json_object_set_new(json, "instance", json_string(s->instance));
	json_object_set_new(json, "queue", json_integer(s->queue));
	json_object_set_new(json, "rx_size", json_integer(s->rx_size));
	json_object_set_new(json, "tx_size", json_integer(s->tx_size));
}

/* What is not known is absent. */
static void set_number(json_t *json, const char *key, uint64_t value)
{
	if (value)
		json_object_set_new(json, key, json_integer(value));
}

static void set_info(json_t *json, const struct info *i)
{
	set_number(json, "rto", i->rto);
	set_number(json, "rtt", i->rtt);
	set_number(json, "rttvar", i->rttvar);
	set_number(json, "mss", i->mss);
	set_number(json, "cwnd", i->cwnd);
	set_number(json, "ssthresh", i->ssthresh);
	set_number(json, "unacked", i->unacked);
	set_number(json, "retrans", i->retrans);
	set_number(json, "retrans_total", i->retrans_total);
	set_number(json, "bytes_acked", i->bytes_acked);
	set_number(json, "bytes_received", i->bytes_received);
}

static json_t *json_of_entry(const struct entry *s, const struct holders *h)
{
	json_t *json = json_object();
	const struct holder *who;
	size_t nr;

	json_object_set_new(json, "netid", json_string(netid(s)));
	json_object_set_new(json, "state", json_string(state_name(s)));
	if (s->live || s->instance[0]) {
		json_object_set_new(json, "recv_q", json_integer(s->recv_q));
		json_object_set_new(json, "send_q", json_integer(s->send_q));
	}
	if (s->live)
		json_object_set_new(json, "inode", json_integer(s->inode));
	if (s->instance[0])
		set_instance(json, s);
	set_endpoint(json, "local", "local_port", &s->src, s->sport);
	set_endpoint(json, "peer", "peer_port", &s->dst, s->dport);
	json_object_set_new(json, "uid", json_integer(s->uid));
	json_object_set_new(json, "cookie", json_integer(s->cookie));
	set_decision(json, s);
	set_info(json, &s->info);
	who = holders_find(h, s->inode, &nr);
	if (nr)
		json_object_set_new(json, "processes", json_of_holders(who, nr));
	return json;
}

void print_json(const struct entries *e, const struct holders *h)
{
	putchar('[');
	for (size_t i = 0; i < e->nr; i++) {
		json_t *json = json_of_entry(&e->v[i], h);

		printf(i ? ",\n" : "\n");
		json_dumpf(json, stdout, JSON_COMPACT);
		json_decref(json);
	}
	puts(e->nr ? "\n]" : "]");
}

/* Totals: how many sockets of each stack, and of each reason with all decisions of that reason. */

struct total {
	char name[DMM_NAME_MAX];
	unsigned int sockets;
};

struct totals {
	unsigned int undecided;
	unsigned int listening;
	struct total stacks[64];
	unsigned int nr_stacks;
	unsigned int reasons[DMM_COUNTERS_MAX];
};

/* Stacks beyond the room there is are counted with the last. */
static struct total *stack_total(struct totals *t, const char *name)
{
	const unsigned int max = sizeof(t->stacks) / sizeof(t->stacks[0]);

	for (unsigned int i = 0; i < t->nr_stacks; i++)
		if (!strcmp(t->stacks[i].name, name))
			return &t->stacks[i];
	if (t->nr_stacks == max)
		return &t->stacks[max - 1];
	snprintf(t->stacks[t->nr_stacks].name, DMM_NAME_MAX, "%s", name);
	return &t->stacks[t->nr_stacks++];
}

static void count(const struct entries *e, struct totals *t)
{
	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < e->nr; i++) {
		const struct entry *s = &e->v[i];

		t->undecided += s->reason == DMM_REASON_UNDECIDED;
		t->listening += s->state == TCP_LISTEN;
		if (s->stack[0])
			stack_total(t, s->stack)->sockets++;
		if (s->reason < DMM_COUNTERS_MAX)
			t->reasons[s->reason]++;
	}
}

static void print_totals(const struct entries *e, const struct totals *t,
			 const struct dmm_counters *decisions)
{
	printf("Total: %zu (undecided %u, listening %u)\n\n", e->nr, t->undecided, t->listening);
	printf("%-31s %s\n", "Stack", "Sockets");
	for (unsigned int i = 0; i < t->nr_stacks; i++)
		printf("%-31s %u\n", t->stacks[i].name, t->stacks[i].sockets);
	printf("\n%-15s %-15s %s\n", "Reason", "Sockets", "Decisions");
	for (unsigned int i = 0; i < DMM_COUNTERS_MAX; i++)
		if (t->reasons[i] || decisions->v[i])
			printf("%-15s %-15u %llu\n", reason_name(i), t->reasons[i],
			       (unsigned long long)decisions->v[i]);
}

static void print_totals_json(const struct entries *e, const struct totals *t,
			      const struct dmm_counters *decisions)
{
	json_t *stacks = json_object(), *reasons = json_object(), *counts = json_object();
	json_t *all;

	for (unsigned int i = 0; i < t->nr_stacks; i++)
		json_object_set_new(stacks, t->stacks[i].name, json_integer(t->stacks[i].sockets));
	for (unsigned int i = 0; i < DMM_COUNTERS_MAX; i++) {
		if (t->reasons[i])
			json_object_set_new(reasons, reason_name(i), json_integer(t->reasons[i]));
		if (decisions->v[i])
			json_object_set_new(counts, reason_name(i), json_integer(decisions->v[i]));
	}
	all = json_pack("[{s:i,s:i,s:i,s:o,s:o,s:o}]", "sockets", (int)e->nr,
			"undecided", t->undecided, "listening", t->listening,
			"stacks", stacks, "reasons", reasons, "decisions", counts);
	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}

void print_summary(const struct entries *e, const struct dmm_counters *decisions,
		   const struct options *o)
{
	struct totals t;

	count(e, &t);
	if (o->json)
		print_totals_json(e, &t, decisions);
	else
		print_totals(e, &t, decisions);
}
