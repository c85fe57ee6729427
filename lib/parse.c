// SPDX-License-Identifier: Apache-2.0
/*
 * The policy language: files, definitions, blocks and commands.  One parser
 * serves files, command lines and whatever else carries policy; a command is
 * handed to the caller as soon as it is complete, so a file of any length
 * needs the memory of its text and one command.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parse.h"

enum {
	INCLUDE_DEPTH = 16,
	DEFINITION_MAX = 64 << 10,
};

struct dmm_macro {
	struct dmm_macro *next;
	const char *name;
	const char *text;
	size_t len;
};

DMM_EXPORT int dmm_parser_new(struct dmm_parser **parser)
{
	struct dmm_parser *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->origin = -1;
	*parser = p;
	return 0;
}

DMM_EXPORT void dmm_parser_free(struct dmm_parser *p)
{
	if (!p)
		return;
	dmm_arena_free(&p->keep);
	dmm_arena_free(&p->scratch);
	dmm_arena_free(&p->words);
	free(p->list);
	free(p);
}

DMM_EXPORT void dmm_parser_set_origin(struct dmm_parser *p, unsigned int origin)
{
	p->origin = origin;
}

DMM_EXPORT const struct dmm_error *dmm_parser_error(const struct dmm_parser *p)
{
	return &p->error;
}

static int out_of_memory(struct dmm_parser *p)
{
	return dmm_error_set(&p->error, -ENOMEM, NULL, "out of memory");
}

int dmm_parse_error(struct dmm_parser *p, const char *fmt, ...)
{
	const struct dmm_token *t = &p->tok;
	char why[128];
	va_list ap;

	if (t->type == DMM_TOK_BAD)
		return dmm_error_set(&p->error, -EINVAL, &t->loc, "%s", t->s);
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (t->type == DMM_TOK_EOL || t->type == DMM_TOK_END)
		return dmm_error_set(&p->error, -EINVAL, &t->loc, "%s at the end of the command",
				     why);
	return dmm_error_set(&p->error, -EINVAL, &t->loc, "\"%.*s\": %s",
			     t->len < 64 ? (int)t->len : 64, t->s, why);
}

void *dmm_parse_list_slot(struct dmm_parser *p, uint32_t i, size_t size)
{
	size_t need = (i + (size_t)1) * size;

	if (need > p->list_size) {
		size_t more = need < 4096 ? 4096 : 2 * need;
		void *list = realloc(p->list, more);

		if (!list) {
			out_of_memory(p);
			return NULL;
		}
		p->list = list;
		p->list_size = more;
	}
	return (char *)p->list + i * size;
}

static struct dmm_macro **macro_slot(struct dmm_parser *p, const char *name, size_t len)
{
	struct dmm_macro **m;
	uint32_t h = 5381;

	for (size_t i = 0; i < len; i++)
		h = h * 33 + (unsigned char)name[i];
	for (m = &p->macros[h % DMM_MACRO_BUCKETS]; *m; m = &(*m)->next)
		if (strlen((*m)->name) == len && !memcmp((*m)->name, name, len))
			break;
	return m;
}

static void expand(struct dmm_parser *p)
{
	struct dmm_macro *m = *macro_slot(p, p->tok.s, p->tok.len);

	if (!m) {
		p->tok.type = DMM_TOK_BAD;
		p->tok.s = "no such definition";
		return;
	}
	dmm_lex_init(&p->var, NULL, 0, m->text, m->len);
	p->var_loc = p->tok.loc;
	p->in_var = true;
}

void dmm_parse_next(struct dmm_parser *p)
{
	for (;;) {
		if (p->in_var) {
			dmm_lex_next(&p->var, &p->scratch, &p->tok);
			p->tok.loc = p->var_loc;
			if (p->tok.type != DMM_TOK_END)
				return;
			p->in_var = false;
		}
		dmm_lex_next(p->lex, &p->scratch, &p->tok);
		if (p->tok.type != DMM_TOK_VAR)
			return;
		expand(p);
		if (!p->in_var)
			return;
	}
}

static bool at_end(const struct dmm_parser *p)
{
	return p->tok.type == DMM_TOK_EOL || p->tok.type == DMM_TOK_END;
}

static int emit(struct dmm_parser *p, const struct dmm_change *ch)
{
	int ret = p->fn(p->arg, ch);

	dmm_arena_reset(&p->scratch);
	return ret;
}

/* Commands. Each function reads what follows the verb. */

static int cmd_zone(struct dmm_parser *p, struct dmm_change *ch)
{
	return dmm_keys_zone(p, &ch->zone);
}

static int cmd_set(struct dmm_parser *p, struct dmm_change *ch)
{
	return dmm_keys_set(p, &ch->set);
}

static int cmd_set_replace(struct dmm_parser *p, struct dmm_change *ch)
{
	ch->replace = true;
	return dmm_keys_set(p, &ch->set);
}

static int cmd_set_del(struct dmm_parser *p, struct dmm_change *ch)
{
	ch->set.name = dmm_keys_name(p);
	ch->set.has = DMM_HAS(DMM_A_SET_NAME);
	return ch->set.name ? 0 : p->error.err;
}

static int cmd_group(struct dmm_parser *p, struct dmm_change *ch)
{
	return dmm_keys_group(p, &ch->group);
}

static int cmd_group_del(struct dmm_parser *p, struct dmm_change *ch)
{
	ch->group.name = dmm_keys_name(p);
	ch->group.has = DMM_HAS(DMM_A_GROUP_NAME);
	return ch->group.name ? 0 : p->error.err;
}

static int cmd_rule_add(struct dmm_parser *p, struct dmm_change *ch)
{
	return dmm_keys_rule(p, &ch->rule);
}

/* "id N" or "prio N [origin O]" */
static int cmd_rule_del(struct dmm_parser *p, struct dmm_change *ch)
{
	struct dmm_rule *r = &ch->rule;
	bool by_id = dmm_parse_at(p, "id");
	int err;

	if (!by_id && !dmm_parse_at(p, "prio"))
		return dmm_parse_error(p, "expected id or prio");
	dmm_parse_next(p);
	err = dmm_keys_u32(p, by_id ? UINT32_MAX : DMM_PRIO_MAX, by_id ? &r->id : &r->prio);
	if (err)
		return err;
	r->has = by_id ? DMM_HAS(DMM_A_RULE_ID) : DMM_HAS(DMM_A_RULE_PRIO);
	if (by_id || !dmm_parse_at(p, "origin"))
		return 0;
	return dmm_keys_origin(p, &r->has, DMM_A_RULE_ORIGIN, &r->origin);
}

static int cmd_rule_zero(struct dmm_parser *p, struct dmm_change *ch)
{
	if (!dmm_parse_at(p, "id"))
		return 0;
	dmm_parse_next(p);
	ch->rule.has = DMM_HAS(DMM_A_RULE_ID);
	return dmm_keys_u32(p, UINT32_MAX, &ch->rule.id);
}

static int cmd_flush(struct dmm_parser *p, struct dmm_change *ch)
{
	if (dmm_parse_at(p, "origin"))
		return dmm_keys_origin(p, &ch->zone.has, DMM_A_ZONE_ORIGIN, &ch->zone.origin);
	if (!dmm_parse_at(p, "all"))
		return dmm_parse_error(p, "expected all or origin");
	dmm_parse_next(p);
	return 0;
}

static const struct command {
	struct dmm_syntax syntax;
	uint8_t cmd;
	int (*parse)(struct dmm_parser *p, struct dmm_change *ch);
} commands[] = {
	{ { "zone", "add", "NAME [origin ORIGIN] [PREFIX ...]" }, DMM_CMD_ZONE_ADD, cmd_zone },
	{ { "zone", "del", "NAME [PREFIX ...]" }, DMM_CMD_ZONE_DEL, cmd_zone },
	{ { "set", "add", "NAME [origin ORIGIN] port { PORT[-PORT], ... }" },
	  DMM_CMD_SET_ADD, cmd_set },
	{ { "set", "replace", "NAME [origin ORIGIN] port { PORT[-PORT], ... }" },
	  DMM_CMD_SET_ADD, cmd_set_replace },
	{ { "set", "del", "NAME" }, DMM_CMD_SET_DEL, cmd_set_del },
	{ { "group", "add", "NAME [origin ORIGIN] { MEMBER, ... }" }, DMM_CMD_GROUP_ADD, cmd_group },
	{ { "group", "set", "NAME [origin ORIGIN] { MEMBER, ... }" }, DMM_CMD_GROUP_SET, cmd_group },
	{ { "group", "del", "NAME" }, DMM_CMD_GROUP_DEL, cmd_group_del },
	{ { "rule", "add", "RULE" }, DMM_CMD_RULE_ADD, cmd_rule_add },
	{ { "rule", "del", "id ID | prio PRIO [origin ORIGIN]" }, DMM_CMD_RULE_DEL, cmd_rule_del },
	{ { "rule", "zero", "[id ID]" }, DMM_CMD_RULE_ZERO, cmd_rule_zero },
	{ { "flush", NULL, "all | origin ORIGIN" }, DMM_CMD_FLUSH, cmd_flush },
};

DMM_EXPORT const struct dmm_syntax *dmm_policy_syntax(unsigned int i)
{
	return i < ARRAY_SIZE(commands) ? &commands[i].syntax : NULL;
}

/* The command at hand; its words are consumed. */
static const struct command *find_command(struct dmm_parser *p)
{
	const char *object = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct dmm_syntax *s = &commands[i].syntax;

		if (!object) {
			if (!dmm_parse_at(p, s->object))
				continue;
			object = s->object;
			dmm_parse_next(p);
			if (!s->verb)
				return &commands[i];
		}
		if (strcmp(s->object, object) || !dmm_parse_at(p, s->verb))
			continue;
		dmm_parse_next(p);
		return &commands[i];
	}
	dmm_parse_error(p, object ? "no such command of a %s" : "not a command", object);
	return NULL;
}

/* Objects that say nothing of their origin get the default. */
static void default_origin(const struct dmm_parser *p, struct dmm_change *ch)
{
	if (p->origin < 0)
		return;
	if (ch->cmd == DMM_CMD_RULE_ADD && !(ch->rule.has & DMM_HAS(DMM_A_RULE_ORIGIN))) {
		ch->rule.has |= DMM_HAS(DMM_A_RULE_ORIGIN);
		ch->rule.origin = p->origin;
	} else if (ch->cmd == DMM_CMD_ZONE_ADD && !(ch->zone.has & DMM_HAS(DMM_A_ZONE_ORIGIN))) {
		ch->zone.has |= DMM_HAS(DMM_A_ZONE_ORIGIN);
		ch->zone.origin = p->origin;
	} else if (ch->cmd == DMM_CMD_SET_ADD && !(ch->set.has & DMM_HAS(DMM_A_SET_ORIGIN))) {
		ch->set.has |= DMM_HAS(DMM_A_SET_ORIGIN);
		ch->set.origin = p->origin;
	} else if ((ch->cmd == DMM_CMD_GROUP_ADD || ch->cmd == DMM_CMD_GROUP_SET) &&
		   !(ch->group.has & DMM_HAS(DMM_A_GROUP_ORIGIN))) {
		ch->group.has |= DMM_HAS(DMM_A_GROUP_ORIGIN);
		ch->group.origin = p->origin;
	}
}

static int parse_command(struct dmm_parser *p)
{
	struct dmm_change ch = { .loc = p->tok.loc };
	const struct command *c = find_command(p);
	int err;

	if (!c)
		return p->error.err;
	ch.cmd = c->cmd;
	err = c->parse(p, &ch);
	if (err)
		return err;
	if (!at_end(p))
		return dmm_parse_error(p, "not expected here");
	default_origin(p, &ch);
	return emit(p, &ch);
}

/* The rules of a block, one a line. */
static int parse_rules(struct dmm_parser *p)
{
	int err;

	for (;;) {
		struct dmm_change ch = { .cmd = DMM_CMD_RULE_ADD, .loc = p->tok.loc };

		if (p->tok.type == DMM_TOK_EOL) {
			dmm_parse_next(p);
			continue;
		}
		if (p->tok.type == DMM_TOK_CLOSE)
			return 0;
		if (p->tok.type == DMM_TOK_END)
			return dmm_parse_error(p, "block is not closed");
		err = dmm_keys_rule(p, &ch.rule);
		if (err)
			return err;
		if (p->tok.type != DMM_TOK_EOL && p->tok.type != DMM_TOK_CLOSE)
			return dmm_parse_error(p, "not expected here");
		default_origin(p, &ch);
		err = emit(p, &ch);
		if (err)
			return err;
	}
}

/* rules [origin ORIGIN] { RULE ... } */
static int parse_block(struct dmm_parser *p)
{
	int outer = p->origin, err;
	uint8_t origin;
	uint64_t has = 0;

	dmm_parse_next(p);
	if (dmm_parse_at(p, "origin")) {
		err = dmm_keys_origin(p, &has, 0, &origin);
		if (err)
			return err;
		p->origin = origin;
	}
	if (p->tok.type != DMM_TOK_OPEN)
		return dmm_parse_error(p, "expected {");
	dmm_parse_next(p);
	err = parse_rules(p);
	p->origin = outer;
	if (!err)
		dmm_parse_next(p);
	return err;
}

/* Spell the tokens up to the end of the line, so that they lex as they did. */
static void spell_definition(struct dmm_parser *p, struct dmm_text *t)
{
	unsigned int depth = 0;

	for (;; dmm_parse_next(p)) {
		switch (p->tok.type) {
		case DMM_TOK_WORD:
		case DMM_TOK_STRING:
			dmm_text_word(t, p->tok.s, p->tok.len);
			break;
		case DMM_TOK_OPEN:
			dmm_text_putc(t, '{');
			depth++;
			break;
		case DMM_TOK_CLOSE:
			dmm_text_putc(t, '}');
			depth -= !!depth;
			break;
		case DMM_TOK_COMMA:
			dmm_text_putc(t, ',');
			break;
		case DMM_TOK_EOL:
			if (depth)
				break;
			return;
		default:
			return;
		}
		dmm_text_putc(t, ' ');
	}
}

/* define NAME = ...; what it uses is expanded now, so that uses never nest. */
static int parse_define(struct dmm_parser *p)
{
	struct dmm_text t = { .size = DEFINITION_MAX };
	struct dmm_macro **slot, *m;

	dmm_parse_next(p);
	if (p->tok.type != DMM_TOK_WORD)
		return dmm_parse_error(p, "expected a name");
	slot = macro_slot(p, p->tok.s, p->tok.len);
	if (*slot)
		return dmm_parse_error(p, "is already defined");
	m = dmm_arena_alloc(&p->keep, sizeof(*m));
	if (!m)
		return out_of_memory(p);
	*m = (struct dmm_macro){ .name = dmm_arena_strndup(&p->keep, p->tok.s, p->tok.len) };
	dmm_parse_next(p);
	if (!dmm_parse_at(p, "="))
		return dmm_parse_error(p, "expected =");
	dmm_parse_next(p);
	t.buf = dmm_parse_list_slot(p, DEFINITION_MAX - 1, 1);
	if (!t.buf)
		return p->error.err;
	spell_definition(p, &t);
	if (!at_end(p))
		return dmm_parse_error(p, "not expected here");
	if (dmm_text_end(&t) >= DEFINITION_MAX)
		return dmm_parse_error(p, "definition is too long");
	m->len = t.len;
	m->text = dmm_arena_strndup(&p->keep, t.buf, t.len);
	if (!m->name || !m->text)
		return out_of_memory(p);
	*slot = m;
	return 0;
}

static int parse_path(struct dmm_parser *p, const char *path, const struct dmm_loc *from);

/* include PATH, relative to the directory of the file that says so */
static int parse_include(struct dmm_parser *p)
{
	struct dmm_loc loc = p->tok.loc;
	const char *slash = loc.file ? strrchr(loc.file, '/') : NULL;
	struct dmm_text t = { 0 };
	char path[4096];

	t.buf = path;
	t.size = sizeof(path);
	dmm_parse_next(p);
	if (!dmm_parse_at_word(p))
		return dmm_parse_error(p, "expected a file name");
	if (slash && p->tok.len && p->tok.s[0] != '/')
		dmm_text_add(&t, loc.file, slash + 1 - loc.file);
	dmm_text_add(&t, p->tok.s, p->tok.len);
	if (dmm_text_end(&t) >= sizeof(path))
		return dmm_parse_error(p, "file name is too long");
	dmm_parse_next(p);
	if (!at_end(p))
		return dmm_parse_error(p, "not expected here");
	return parse_path(p, path, &loc);
}

static int parse_statement(struct dmm_parser *p)
{
	if (dmm_parse_at(p, "include"))
		return parse_include(p);
	if (dmm_parse_at(p, "define"))
		return parse_define(p);
	if (dmm_parse_at(p, "rules"))
		return parse_block(p);
	return parse_command(p);
}

static int parse_stream(struct dmm_parser *p)
{
	int err;

	dmm_parse_next(p);
	while (p->tok.type != DMM_TOK_END) {
		if (p->tok.type == DMM_TOK_EOL) {
			dmm_parse_next(p);
			continue;
		}
		err = parse_statement(p);
		if (err)
			return err;
		if (!at_end(p))
			return dmm_parse_error(p, "not expected here");
	}
	return 0;
}

/* Parse @text and return to the text at hand. */
static int parse_nested(struct dmm_parser *p, const char *name, unsigned int line,
			const char *text, size_t len)
{
	struct dmm_lexer lex, *outer = p->lex;
	struct dmm_token tok = p->tok;
	int err;

	dmm_lex_init(&lex, name, line, text, len);
	p->lex = &lex;
	p->depth++;
	err = parse_stream(p);
	p->depth--;
	p->lex = outer;
	p->tok = tok;
	return err;
}

static int read_all(int fd, char **text, size_t *len)
{
	size_t size = 0;
	struct stat st;
	ssize_t n;

	*text = NULL;
	*len = 0;
	if (!fstat(fd, &st) && st.st_size > 0)
		size = st.st_size;
	for (;;) {
		char *more;

		size = *len < size ? size : 2 * size + 4096;
		more = realloc(*text, size + 1);
		if (!more)
			return -ENOMEM;
		*text = more;
		n = read(fd, *text + *len, size + 1 - *len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return 0;
		if (n > 0)
			*len += n;
	}
}

static int parse_fd(struct dmm_parser *p, int fd, const char *name, const struct dmm_loc *from)
{
	char *text;
	size_t len;
	int err;

	err = read_all(fd, &text, &len);
	if (err)
		dmm_error_set(&p->error, err, from, "cannot read %s: %s", name, strerror(-err));
	else
		err = parse_nested(p, name, 1, text, len);
	free(text);
	return err;
}

static int is_policy_file(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 7 && d->d_name[0] != '.' && !strcmp(d->d_name + len - 7, ".policy");
}

static int parse_dir(struct dmm_parser *p, const char *path, const struct dmm_loc *from)
{
	struct dirent **names;
	int n = scandir(path, &names, is_policy_file, alphasort), err = 0;
	char file[4096];

	if (n < 0)
		return dmm_error_set(&p->error, -errno, from, "cannot read %s: %s", path,
				     strerror(errno));
	for (int i = 0; i < n; i++) {
		if (!err && (size_t)snprintf(file, sizeof(file), "%s/%s", path,
					     names[i]->d_name) < sizeof(file))
			err = parse_path(p, file, from);
		free(names[i]);
	}
	free(names);
	return err;
}

static int parse_path(struct dmm_parser *p, const char *path, const struct dmm_loc *from)
{
	const char *name = dmm_arena_strndup(&p->keep, path, strlen(path));
	struct stat st;
	int fd, err;

	if (!name)
		return out_of_memory(p);
	if (p->depth > INCLUDE_DEPTH)
		return dmm_error_set(&p->error, -ELOOP, from, "files include each other too deeply");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return dmm_error_set(&p->error, -errno, from, "cannot open %s: %s", path,
				     strerror(errno));
	if (!fstat(fd, &st) && S_ISDIR(st.st_mode))
		err = parse_dir(p, name, from);
	else
		err = parse_fd(p, fd, name, from);
	close(fd);
	return err;
}

static void start(struct dmm_parser *p, dmm_change_fn fn, void *arg)
{
	memset(&p->error, 0, sizeof(p->error));
	dmm_arena_reset(&p->scratch);
	p->in_var = false;
	p->depth = 0;
	p->fn = fn;
	p->arg = arg;
}

DMM_EXPORT int dmm_parse_file(struct dmm_parser *p, const char *path, dmm_change_fn fn, void *arg)
{
	start(p, fn, arg);
	if (!strcmp(path, "-"))
		return parse_fd(p, STDIN_FILENO, "stdin", NULL);
	return parse_path(p, path, NULL);
}

DMM_EXPORT int dmm_parse_text(struct dmm_parser *p, const char *name, unsigned int line,
			      const char *text, size_t len, dmm_change_fn fn, void *arg)
{
	const char *kept = dmm_arena_strndup(&p->keep, name, strlen(name));

	if (!kept)
		return out_of_memory(p);
	start(p, fn, arg);
	return parse_nested(p, kept, line, text, len);
}

/*
 * Words of a command line become text again.  The shell took quotes away, so a
 * word with blanks is put in quotes; braces, commas and quotes in other words
 * mean what they mean in a file.
 */
static void spell_argv(struct dmm_text *t, int argc, char *const argv[])
{
	for (int i = 0; i < argc; i++) {
		bool plain = argv[i][0] && argv[i][0] != '#' && !strpbrk(argv[i], " \t\n;");

		if (plain || strchr(argv[i], '"'))
			dmm_text_puts(t, argv[i]);
		else
			dmm_text_word(t, argv[i], strlen(argv[i]));
		dmm_text_putc(t, ' ');
	}
}

/* Run @parse over the words of a command line. */
static int with_argv(struct dmm_parser *p, int argc, char *const argv[],
		     int (*parse)(struct dmm_parser *p, void *obj), void *obj)
{
	struct dmm_text t = { 0 };
	struct dmm_lexer lex;
	int err;

	spell_argv(&t, argc, argv);
	t.size = t.len + 1;
	t.len = 0;
	t.buf = malloc(t.size);
	if (!t.buf)
		return out_of_memory(p);
	spell_argv(&t, argc, argv);
	dmm_lex_init(&lex, NULL, 0, t.buf, dmm_text_end(&t));
	p->lex = &lex;
	dmm_parse_next(p);
	err = parse(p, obj);
	if (!err && !at_end(p))
		err = dmm_parse_error(p, "not expected here");
	p->lex = NULL;
	free(t.buf);
	return err;
}

static int argv_command(struct dmm_parser *p, void *obj)
{
	(void)obj;
	return parse_command(p);
}

DMM_EXPORT int dmm_parse_argv(struct dmm_parser *p, int argc, char *const argv[],
			      dmm_change_fn fn, void *arg)
{
	start(p, fn, arg);
	return with_argv(p, argc, argv, argv_command, NULL);
}

static int argv_selector(struct dmm_parser *p, void *obj)
{
	return dmm_keys_selector(p, obj);
}

DMM_EXPORT int dmm_parse_selector(struct dmm_parser *p, int argc, char *const argv[],
				  struct dmm_rule *rule)
{
	memset(rule, 0, sizeof(*rule));
	start(p, NULL, NULL);
	return with_argv(p, argc, argv, argv_selector, rule);
}

static int argv_explain(struct dmm_parser *p, void *obj)
{
	return dmm_keys_explain(p, obj);
}

DMM_EXPORT int dmm_parse_explain(struct dmm_parser *p, int argc, char *const argv[],
				 struct dmm_explain *explain)
{
	memset(explain, 0, sizeof(*explain));
	start(p, NULL, NULL);
	return with_argv(p, argc, argv, argv_explain, explain);
}

DMM_EXPORT int dmm_parse_origin(struct dmm_parser *p, const char *word, unsigned int *origin)
{
	int n = dmm_origin_find(word, strlen(word));

	start(p, NULL, NULL);
	if (n < 0)
		return dmm_error_set(&p->error, -EINVAL, NULL, "\"%s\": not an origin", word);
	*origin = n;
	return 0;
}

/* A word of the line, or NULL at its end or without memory. */
static char *line_word(struct dmm_parser *p)
{
	static const char marks[] = {
		[DMM_TOK_OPEN] = '{', [DMM_TOK_CLOSE] = '}', [DMM_TOK_COMMA] = ',',
	};

	if (dmm_parse_at_word(p))
		return dmm_arena_strndup(&p->words, p->tok.s, p->tok.len);
	if (p->tok.type < sizeof(marks) && marks[p->tok.type])
		return dmm_arena_strndup(&p->words, &marks[p->tok.type], 1);
	return NULL;
}

DMM_EXPORT int dmm_parse_words(struct dmm_parser *p, const char *name, unsigned int line,
			       const char *text, size_t len, char ***words)
{
	const char *kept = dmm_arena_strndup(&p->keep, name, strlen(name));
	struct dmm_lexer lex;
	char **slot, *word;
	int n = 0;

	start(p, NULL, NULL);
	dmm_arena_reset(&p->words);
	dmm_lex_init(&lex, kept, line, text, len);
	p->lex = &lex;
	for (dmm_parse_next(p); (word = line_word(p)); dmm_parse_next(p)) {
		slot = dmm_parse_list_slot(p, n, sizeof(*slot));
		if (!slot)
			return p->error.err;
		*slot = word;
		n++;
	}
	if (!at_end(p))
		return dmm_parse_error(p, "not expected here");
	slot = dmm_parse_list_slot(p, n, sizeof(*slot));
	if (!slot)
		return p->error.err;
	*slot = NULL;
	*words = dmm_arena_dup(&p->words, p->list, (n + 1) * sizeof(*slot));
	return *words ? n : out_of_memory(p);
}
