// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy language: what is accepted and what becomes of it, what is refused
 * and where, and that neither random rules nor random text break it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <dmm/policy.h>

#include "kselftest.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static unsigned int seed;

static unsigned int rnd(unsigned int below)
{
	return rand_r(&seed) % below;
}

/* All changes of a text, as text, one a line. */
static int append_change(void *arg, const struct dmm_change *ch)
{
	char *out = arg;
	size_t used = strlen(out);

	used += dmm_change_format(out + used, 65536 - used, ch);
	if (used < 65535)
		strcpy(out + used, "\n");
	return 0;
}

static char output[65536];
static char error[512];

static const char *parse(struct dmm_parser *p, const char *text)
{
	output[0] = '\0';
	if (!dmm_parse_text(p, "t", 1, text, strlen(text), append_change, output))
		return output;
	dmm_error_format(error, sizeof(error), dmm_parser_error(p));
	return error;
}

/* Names are texts here: of one line, and without what TAP takes for a directive. */
static void expect(const char *got, const char *want, const char *name)
{
	char shown[512];

	snprintf(shown, sizeof(shown), "%s", name);
	for (char *c = shown; *c; c++)
		if (*c == '\n' || *c == '#')
			*c = ' ';
	if (!ksft_result(!strcmp(got, want), "%s", shown)) {
		ksft_note("got  %s", got);
		ksft_note("want %s", want);
	}
}

/* What is printed for each command; "" stands for the command itself. */
static const char *const accepted[][2] = {
	{ "rule add reject", "" },
	{ "rule add prio 0 origin crd connect tcp inet stack kernel", "" },
	{ "rule add stack a,b@0,kernel strict", "" },
	{ "rule add stack { a, b } fallback", "rule add stack a,b" },
	{ "rule add prio 0x10 listen udp inet6 reject", "rule add prio 16 listen udp inet6 reject" },
	{ "rule add src 10.0.0.0/8 dst fd00::/8 reject", "" },
	{ "rule add dst 0.0.0.0/0 reject", "" },
	{ "rule add dst ::/0 reject", "" },
	{ "rule add dst 1.2.3.4/32 reject", "rule add dst 1.2.3.4 reject" },
	{ "rule add dst ::ffff:1.2.3.0/120 reject", "rule add dst 1.2.3.0/24 reject" },
	{ "rule add dst ::ffff:0.0.0.0/96 reject", "rule add dst 0.0.0.0/0 reject" },
	{ "rule add src zone a dst zone b sport set c dport set d reject", "" },
	{ "rule add src 10.0.0.0/8 src zone a dst fd00::/8 dst zone b reject", "" },
	{ "rule add src zone a src 1.2.3.4 reject", "rule add src 1.2.3.4 src zone a reject" },
	{ "rule add dport 80,443-445 reject", "" },
	{ "rule add dport { 80, 443-445 } reject", "rule add dport 80,443-445 reject" },
	{ "rule add dport 3,2,1,5-7,6-9,10 reject", "rule add dport 1-3,5-10 reject" },
	{ "rule add dport 0-65535 reject", "" },
	{ "rule add sport http reject", "rule add sport 80 reject" },
	{ "rule add uid 1000 gid 5-4294967295 reject", "" },
	{ "rule add uid root gid root reject", "rule add uid 0 gid 0 reject" },
	{ "rule add mark 1 reject", "rule add mark 0x1 reject" },
	{ "rule add mark 0x10/0xf0 reject", "" },
	{ "rule add dscp 46 reject", "rule add dscp ef reject" },
	{ "rule add dscp 3 reject", "" },
	{ "rule add dev eth0 comm \"a b\" reject", "" },
	{ "rule add comm \"\\x01\\\"\\\\\" reject", "" },
	{ "rule add comm \"#x\" reject", "" },
	{ "rule add comm \"a,b{\" reject", "" },
	{ "rule add cgroup /a/b reject", "" },
	{ "rule add unit nginx reject", "rule add cgroup /system.slice/nginx.service reject" },
	{ "rule add unit a.service reject", "rule add cgroup /system.slice/a.service reject" },
	{ "rule add unit a.scope reject", "rule add cgroup /system.slice/a.scope reject" },
	{ "rule add unit a-b.slice reject", "rule add cgroup /a.slice/a-b.slice reject" },
	{ "rule add unit user@1000.service reject",
	  "rule add cgroup /user.slice/user-1000.slice/user@1000.service reject" },
	{ "rule add unit a-b@c.service reject",
	  "rule add cgroup /system.slice/system-a\\x2db.slice/a-b@c.service reject" },
	{ "rule add stack kernel cc bbr setmark 0x7 tos 0x10 keepidle 1 keepintvl 2 keepcnt 3", "" },
	{ "rule del id 7", "" },
	{ "rule del prio 7 origin file", "" },
	{ "rule zero", "" },
	{ "rule zero id 3", "" },
	{ "zone add a", "" },
	{ "zone add a origin file 10.0.0.0/8 fd00::/8", "" },
	{ "zone add a { 10.0.0.0/8,\n\n fd00::/8 # comment\n }", "zone add a 10.0.0.0/8 fd00::/8" },
	{ "zone del a 10.0.0.0/8", "" },
	{ "zone del a", "" },
	{ "set add a port 80", "set add a port { 80 }" },
	{ "set add a port { 5432, 6379, 9000-9099 }", "" },
	{ "set replace a origin crd port { 1 }", "" },
	{ "set del a", "" },
	{ "flush all", "" },
	{ "flush origin learned", "" },
};

static void test_accepted(struct dmm_parser *p)
{
	char want[512];

	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		snprintf(want, sizeof(want), "%s\n", accepted[i][accepted[i][1][0] != '\0']);
		expect(parse(p, accepted[i][0]), want, accepted[i][1][0] ? accepted[i][1] : want);
	}
}

static const char *const refused[][2] = {
	{ "bogus", "t:1:1: \"bogus\": not a command" },
	{ "rule bogus", "t:1:6: \"bogus\": no such command of a rule" },
	{ "\n\n  rule add", "t:3:11: expected stack or reject at the end of the command" },
	{ "rule add bogus", "t:1:10: \"bogus\": not a key or action of a rule" },
	{ "rule add prio 32767 reject", "t:1:15: \"32767\": must be at most 32766" },
	{ "rule add prio -1 reject", "t:1:15: \"-1\": expected a number" },
	{ "rule add prio 99999999999 reject", "t:1:15: \"99999999999\": must be at most 32766" },
	{ "rule add prio 1 prio 2 reject", "t:1:17: \"prio\": it was given already" },
	{ "rule add connect listen reject", "t:1:18: \"listen\": this key was given already" },
	{ "rule add reject stack kernel", "t:1:17: \"stack\": it was given already" },
	{ "rule add strict fallback reject", "t:1:17: \"fallback\": this key was given already" },
	{ "rule add src 1.2.3.4 src 1.2.3.5 reject", "t:1:26: \"1.2.3.5\": a prefix was given already" },
	{ "rule add dst zone a dst 1.2.3.4 dst zone b reject", "t:1:37: \"zone\": a zone was given already" },
	{ "rule add sport 1 sport set a reject", "t:1:18: \"sport\": it was given already" },
	{ "rule add dst 10.0.0.1/8 reject", "t:1:14: \"10.0.0.1/8\": prefix has bits set behind its length" },
	{ "rule add dst 10.0.0.0/33 reject", "t:1:14: \"10.0.0.0/33\": prefix longer than the address" },
	{ "rule add dst 10.0.0 reject", "t:1:14: \"10.0.0\": not an address or prefix" },
	{ "rule add dst 10.0.0.0/ reject", "t:1:14: \"10.0.0.0/\": not an address or prefix" },
	{ "rule add dport 90-80 reject", "t:1:16: \"90-80\": range ends before it begins" },
	{ "rule add dport 65536 reject", "t:1:16: \"65536\": not a port, range of ports or service" },
	{ "rule add dport nosuchservice reject", "t:1:16: \"nosuchservice\": not a port, range of ports or service" },
	{ "rule add dport 80,", "t:1:19: expected a port at the end of the command" },
	{ "rule add dport { } reject", "t:1:20: \"reject\": a list of ports must not be empty" },
	{ "rule add uid 7-3 reject", "t:1:14: \"7-3\": range ends before it begins" },
	{ "rule add uid nosuchuser reject", "t:1:14: \"nosuchuser\": no such user" },
	{ "rule add gid nosuchgroup reject", "t:1:14: \"nosuchgroup\": no such group" },
	{ "rule add mark 3/1 reject", "t:1:15: \"3/1\": mark has bits outside its mask" },
	{ "rule add mark x reject", "t:1:15: \"x\": expected a mark or MARK/MASK" },
	{ "rule add dscp 64 reject", "t:1:15: \"64\": expected a number up to 63 or a name like af41" },
	{ "rule add dev 1234567890123456 reject", "t:1:14: \"1234567890123456\": is longer than 15 bytes" },
	{ "rule add comm \"\" reject", "t:1:15: \"\": expected a name" },
	{ "rule add stack a,b,c,d,e,f,g,h,i", "t:1:32: \"i\": a rule has at most 8 stacks" },
	{ "rule add stack kernel tos 256", "t:1:27: \"256\": must be at most 255" },
	{ "rule add stack kernel keepcnt 128", "t:1:31: \"128\": must be at most 127" },
	{ "rule add origin bogus reject", "t:1:17: \"bogus\": expected cli, file, crd or learned" },
	{ "rule add unit /x reject", "t:1:15: \"/x\": expected a unit" },
	{ "rule add reject }", "t:1:17: \"}\": not expected here" },
	{ "rule add comm \"x", "t:1:15: string is not closed" },
	{ "rule add comm \"x\ny\"", "t:1:15: string is not closed on its line" },
	{ "rule add comm \"\\q\" reject", "t:1:15: escapes in strings are \\\\, \\\" and \\xHH" },
	{ "rule add comm \"\\x00\" reject", "t:1:15: escapes in strings are \\\\, \\\" and \\xHH" },
	{ "rule \001", "t:1:6: unexpected control character" },
	{ "rule del", "t:1:9: expected id or prio at the end of the command" },
	{ "zone add", "t:1:9: expected a name at the end of the command" },
	{ "zone add a { 10.0.0.0/8", "t:1:24: expected an address or prefix at the end of the command" },
	{ "set add a", "t:1:10: expected port at the end of the command" },
	{ "flush", "t:1:6: expected all or origin at the end of the command" },
	{ "rules {", "t:1:8: block is not closed at the end of the command" },
	{ "rules { reject } reject", "t:1:18: \"reject\": not expected here" },
	{ "rules { rule add reject }", "t:1:9: \"rule\": not a key or action of a rule" },
	{ "define a", "t:1:9: expected = at the end of the command" },
	{ "define a = 1\ndefine a = 2", "t:2:8: \"a\": is already defined" },
	{ "rule add prio $none reject", "t:1:15: no such definition" },
	{ "define b = x\nrule add prio $b reject", "t:2:15: \"x\": expected a number" },
	{ "include \"/nonexistent/file\"", "t:1:1: cannot open /nonexistent/file: No such file or directory" },
};

/* Definitions last as long as a parser: a new one for each. */
static void test_refused(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct dmm_parser *p;

		if (dmm_parser_new(&p))
			continue;
		expect(parse(p, refused[i][0]), refused[i][1], refused[i][1]);
		dmm_parser_free(p);
	}
}

static void test_files(struct dmm_parser *p)
{
	expect(parse(p, "define web = { 80, 443 }\ndefine more = dport $web\n"
			"rule add $more stack kernel; rule add sport $web reject"),
	       "rule add dport 80,443 stack kernel\nrule add sport 80,443 reject\n",
	       "definitions, also of definitions");
	expect(parse(p, "rules origin file {\n\tprio 1 reject # one\n\n\torigin cli reject; reject\n}"),
	       "rule add prio 1 origin file reject\nrule add origin cli reject\nrule add origin file reject\n",
	       "a block gives its origin to rules that name none");
	expect(parse(p, "rule add \\\n  reject\n"), "rule add reject\n", "a line that is continued");
	expect(parse(p, "# only a comment"), "", "a comment without newline");
	dmm_parser_set_origin(p, DMM_ORIGIN_CRD);
	expect(parse(p, "rule add reject\nzone add a\nset add b port 1\nrule del id 1"),
	       "rule add origin crd reject\nzone add a origin crd\n"
	       "set add b origin crd port { 1 }\nrule del id 1\n", "the parser's origin");
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f)
		return;
	fputs(text, f);
	fclose(f);
}

static void remove_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(dir);
}

static const char *parse_path(struct dmm_parser *p, const char *path)
{
	output[0] = '\0';
	if (!dmm_parse_file(p, path, append_change, output))
		return output;
	dmm_error_format(error, sizeof(error), dmm_parser_error(p));
	return error;
}

static void test_includes(void)
{
	char dir[] = "/tmp/test_policy_lang.XXXXXX", path[512], want[512];
	struct dmm_parser *p;

	if (dmm_parser_new(&p) || !mkdtemp(dir)) {
		ksft_result(false, "temporary directory");
		return;
	}
	write_file(dir, "10.policy", "define x = 5\ninclude part\nrule add prio 1 reject");
	write_file(dir, "20.policy", "rule add prio $x reject");
	write_file(dir, "part", "rule add prio $x stack kernel\n");
	write_file(dir, "ignored", "bogus\n");
	write_file(dir, "loop", "include loop\n");
	write_file(dir, "bad", "\n  include bad2");
	write_file(dir, "bad2", "rule add\nreject");
	expect(parse_path(p, dir),
	       "rule add prio 5 stack kernel\nrule add prio 1 reject\nrule add prio 5 reject\n",
	       "a directory in order, with an include and definitions across files");
	snprintf(path, sizeof(path), "%s/bad", dir);
	snprintf(want, sizeof(want),
		 "%s/bad2:1:9: expected stack or reject at the end of the command", dir);
	expect(parse_path(p, path), want, "an error in an included file names that");
	snprintf(path, sizeof(path), "%s/loop", dir);
	snprintf(want, sizeof(want), "%s/loop:1:1: files include each other too deeply", dir);
	expect(parse_path(p, path), want, "a file that includes itself");
	dmm_parser_free(p);
	remove_files(dir);
}

static const char *parse_words(struct dmm_parser *p, char *const argv[])
{
	int argc = 0;

	while (argv[argc])
		argc++;
	output[0] = '\0';
	if (!dmm_parse_argv(p, argc, argv, append_change, output))
		return output;
	dmm_error_format(error, sizeof(error), dmm_parser_error(p));
	return error;
}

static void test_argv(struct dmm_parser *p)
{
	char *set[] = { "set", "add", "db", "port", "{", "5432,", "9000-9099", "}", NULL };
	char *comm[] = { "rule", "add", "comm", "a; b #", "reject", NULL };
	char *tail[] = { "rule", "add", "reject", "", NULL };

	expect(parse_words(p, set), "set add db port { 5432, 9000-9099 }\n", "braces as arguments");
	expect(parse_words(p, comm), "rule add comm \"a; b #\" reject\n", "blanks in an argument");
	expect(parse_words(p, tail), "\"\": not a key or action of a rule", "an empty argument");
}

static void test_words(struct dmm_parser *p)
{
	static const char line[] = "rule show comm \"a b\" { 1, $none";
	char **words;
	int n;

	n = dmm_parse_words(p, "t", 7, line, 26, &words);
	ksft_result(n == 7 && !strcmp(words[3], "a b") && !strcmp(words[4], "{") && !words[7],
		    "a line in words");
	ksft_result(dmm_parse_words(p, "t", 7, line, strlen(line), &words) < 0 &&
		    dmm_parser_error(p)->loc.line == 7, "words with an error on their line");
}

static void test_explain(struct dmm_parser *p)
{
	char *good[] = { "connect", "tcp", "[fd00::1]:443", "from", "[::1]:99", "uid", "33",
			 "unit", "a", "mark", "0x5", "want", "kernel" };
	char *listen[] = { "listen", "udp", "*:53", "from", "10.0.0.1:7" };
	char *bad[] = { "connect", "tcp", "fd00::1:443" };
	struct dmm_explain e;

	ksft_result(!dmm_parse_explain(p, ARRAY_SIZE(good), good, &e) &&
		    e.role == DMM_ROLE_CONNECT && e.type == SOCK_STREAM && e.family == AF_INET6 &&
		    e.dport == 443 && e.sport == 99 && e.uid == 33 && e.mark == 5 &&
		    !strcmp(e.cgroup, "/system.slice/a.service") && !strcmp(e.want, "kernel"),
		    "explain connect");
	ksft_result(!dmm_parse_explain(p, ARRAY_SIZE(listen), listen, &e) &&
		    e.role == DMM_ROLE_LISTEN && e.sport == 53 && e.dport == 7 &&
		    e.dst.family == AF_INET && !(e.has & DMM_HAS(DMM_A_EXPLAIN_SRC)),
		    "explain listen: from is the remote end");
	ksft_result(dmm_parse_explain(p, ARRAY_SIZE(bad), bad, &e) == -EINVAL,
		    "an IPv6 endpoint needs brackets");
}

static void test_selector(struct dmm_parser *p)
{
	char *words[] = { "tcp", "dst", "10.0.0.0/8", "fallback" };
	struct dmm_rule sel, rule = {
		.has = DMM_HAS(DMM_A_RULE_TYPE) | DMM_HAS(DMM_A_RULE_DST),
		.type = SOCK_STREAM,
		.dst = { .family = AF_INET, .len = 8, .addr = { 10 } },
	};

	ksft_result(!dmm_parse_selector(p, ARRAY_SIZE(words), words, &sel) &&
		    dmm_rule_selected(&rule, &sel), "a selector selects");
	rule.has |= DMM_HAS(DMM_A_RULE_FLAGS);
	rule.flags = DMM_RULE_F_STRICT;
	ksft_result(!dmm_rule_selected(&rule, &sel), "and does not select a strict rule");
}

/* Random text out of the language's own words, so that it gets far. */
static size_t random_text(char *buf, size_t size)
{
	static const char *const words[] = {
		"rule", "add", "zone", "set", "del", "replace", "flush", "all", "rules", "define",
		"{", "}", ",", ";", "\n", "\n", "=", "$a", "a", "prio", "1", "99999", "origin",
		"file", "connect", "tcp", "src", "dst", "zone", "10.0.0.0/8", "fd00::/8", "::1",
		"::ffff:1.2.3.4", "sport", "dport", "set", "80", "1-3", "uid", "0-5", "mark", "1/3",
		"dscp", "ef", "comm", "\"a b\"", "\"\\x41\"", "\"", "\\", "\\\n", "#", "stack",
		"kernel", "reject", "strict", "fallback", "cc", "bbr", "port", "unit", "x@y.service",
		"cgroup", "/a", "id", "\t", "\001", "\xff",
	};
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned int n = rnd(60); n && used < size - 32; n--)
		used += snprintf(buf + used, size - used, "%s%s", words[rnd(ARRAY_SIZE(words))],
				 rnd(8) ? " " : "");
	for (unsigned int n = rnd(4); n && used; n--)
		buf[rnd(used)] = 1 + rnd(255);
	return strlen(buf);
}

/* What is printed parses, and prints the same again. */
static int check_change(void *arg, const struct dmm_change *ch)
{
	char text[4096], again[65536] = "";
	struct dmm_parser *p;
	bool same;
	int err;

	dmm_change_format(text, sizeof(text) - 1, ch);
	strcat(text, "\n");
	if (dmm_parser_new(&p))
		return -ENOMEM;
	err = dmm_parse_text(p, "again", 1, text, strlen(text), append_change, again);
	same = !err && !strcmp(text, again);
	if (!same)
		ksft_note("\"%s\" became \"%s\"", text, again);
	dmm_parser_free(p);
	*(unsigned int *)arg += !same;
	return 0;
}

static void test_random_text(void)
{
	unsigned int wrong = 0, good = 0, start = seed;
	char text[4096], shown[512];

	for (int i = 0; i < 20000; i++) {
		struct dmm_parser *p;
		size_t len = random_text(text, sizeof(text));

		if (dmm_parser_new(&p))
			break;
		if (!dmm_parse_text(p, "random", 1, text, len, check_change, &wrong))
			good++;
		dmm_error_format(shown, sizeof(shown), dmm_parser_error(p));
		dmm_parser_free(p);
	}
	ksft_result(!wrong && good, "random text (seed %u, %u of 20000 accepted)", start, good);
}

int main(void)
{
	const char *env = getenv("SEED");
	struct dmm_parser *p;

	seed = env ? (unsigned int)atoi(env) : (unsigned int)time(NULL);
	ksft_header();
	if (dmm_parser_new(&p))
		return KSFT_FAIL;
	test_accepted(p);
	test_refused();
	test_argv(p);
	test_words(p);
	test_explain(p);
	test_selector(p);
	test_files(p);
	test_includes();
	test_random_text();
	dmm_parser_free(p);
	ksft_finish();
}
