/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of libdmm share. */
#ifndef DMM_INTERNAL_H
#define DMM_INTERNAL_H

#include <dmm/dmm.h>
#include <dmm/policy.h>

#define DMM_EXPORT	__attribute__((visibility("default")))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct nlmsghdr;

/* error.c */

/* Fill @e and return @err. */
int dmm_error_set(struct dmm_error *e, int err, const struct dmm_loc *loc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* arena.c: memory that is freed all at once. */

struct dmm_chunk;

struct dmm_arena {
	struct dmm_chunk *chunks;	/* newest first */
	size_t used;			/* of the newest */
};

/* NULL without memory; aligned for any object. */
void *dmm_arena_alloc(struct dmm_arena *a, size_t size);
void *dmm_arena_dup(struct dmm_arena *a, const void *data, size_t size);
char *dmm_arena_strndup(struct dmm_arena *a, const char *s, size_t len);

/* Forget all that was allocated, keep a chunk for what comes. */
void dmm_arena_reset(struct dmm_arena *a);
void dmm_arena_free(struct dmm_arena *a);

/* fields.c: the objects field by field. */

struct dmm_type {
	const struct dmm_field *fields;
	unsigned int nr;
	size_t size;
};

extern const struct dmm_type dmm_type_txn, dmm_type_zone, dmm_type_set, dmm_type_rule,
	dmm_type_stat, dmm_type_explain, dmm_type_decision;

/* Type of the objects of a command, NULL for an unknown one. */
const struct dmm_type *dmm_type_of(unsigned int cmd);

static inline void *dmm_field_ptr(const struct dmm_field *f, const void *obj)
{
	return (char *)obj + f->offset;
}

static inline uint64_t dmm_has(const void *obj)
{
	return *(const uint64_t *)obj;
}

bool dmm_field_equal(const struct dmm_field *f, const void *a, const void *b);

/* Deep copy, strings and arrays included; -ENOMEM. */
int dmm_object_copy(const struct dmm_type *t, struct dmm_arena *a, void *to, const void *from);

int dmm_name_find(const char *const *names, unsigned int nr, const char *s, size_t len);
int dmm_origin_find(const char *s, size_t len);

/* message.c: objects as netlink attributes. */

/*
 * Append the fields of @obj whose bits are in @mask to the message @nlh, which
 * may grow up to @end.  -EMSGSIZE if there is no room.
 */
int dmm_msg_put(struct nlmsghdr *nlh, const void *end, const struct dmm_type *t,
		const void *obj, uint64_t mask);

/* The reverse; strings and arrays stay in the message. Unknown attributes are passed over. */
int dmm_msg_get(const struct nlmsghdr *nlh, const struct dmm_type *t, void *obj);

/* The rule in a message of the dump of DMM_CMD_EXPLAIN. */
int dmm_msg_get_tried(const struct nlmsghdr *nlh, struct dmm_rule *rule);

/* Name of the attribute at @offset of a message that was sent, or NULL. */
const char *dmm_msg_attr_name(const struct nlmsghdr *nlh, const struct dmm_type *t,
			      unsigned int offset);

/* text.c */

struct dmm_text {
	char *buf;
	size_t size;
	size_t len;		/* of the whole text */
};

void dmm_text_putc(struct dmm_text *t, char c);
void dmm_text_add(struct dmm_text *t, const char *s, size_t len);
void dmm_text_puts(struct dmm_text *t, const char *s);
void dmm_text_printf(struct dmm_text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void dmm_text_word(struct dmm_text *t, const char *word, size_t len);
size_t dmm_text_end(struct dmm_text *t);

/* value.c: words of the policy language. */

int dmm_value_u32(const char *s, size_t len, uint32_t *v);
int dmm_value_prefix(const char *s, size_t len, struct dmm_prefix *p, const char **why);
int dmm_value_port(const char *s, size_t len, uint16_t *port);
int dmm_value_endpoint(const char *s, size_t len, struct dmm_prefix *p, uint16_t *port);
int dmm_value_dscp(const char *s, size_t len);
const char *dmm_value_dscp_name(unsigned int dscp);
int dmm_value_unit(char *path, size_t size, const char *s, size_t len);

/* Sort ranges and merge those that touch; returns how many remain. */
uint32_t dmm_value_merge_ports(struct dmm_port_range *v, uint32_t nr);
bool dmm_prefix_equal(const struct dmm_prefix *a, const struct dmm_prefix *b);
bool dmm_prefix_covers(const struct dmm_prefix *a, const struct dmm_prefix *b);
int dmm_prefix_cmp(const void *a, const void *b);

#endif /* DMM_INTERNAL_H */
