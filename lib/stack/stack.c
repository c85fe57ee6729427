// SPDX-License-Identifier: Apache-2.0
/* An instance: opened or taken over, mapped, closed. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "atomic.h"

#define ARENA_DEFAULT	(64ull << 20)
#define EVENTS_DEFAULT	1024u

static int copy_name(char *to, const char *from)
{
	if (!from)
		return 0;
	if (strlen(from) >= DMM_NAME_MAX)
		return -EINVAL;
	strcpy(to, from);
	return 0;
}

static int register_of(const struct dmm_stack_config *c, struct dmm_register *reg)
{
	*reg = (struct dmm_register){
		.size = sizeof(*reg),
		.features = c->features ? c->features : DMM_FEATS_ALL,
		.required = c->required,
		.caps = c->caps,
		.weight = c->weight,
		.nr_queues = c->queues ? c->queues : 1,
		.nr_events = c->events ? c->events : EVENTS_DEFAULT,
		.nr_conns = c->conns,
		.sndbuf = c->sndbuf,
		.rcvbuf = c->rcvbuf,
	};
	if (!c->name || !c->ops)
		return -EINVAL;
	return copy_name(reg->name, c->name) || copy_name(reg->instance, c->instance) ? -EINVAL : 0;
}

static int make_arena(struct dmm_stack *s, uint64_t len)
{
	uint64_t page = sysconf(_SC_PAGESIZE);

	len = len ? len : ARENA_DEFAULT;
	if (len > DMM_ARENA_MAX)
		return -EINVAL;
	return dmm_arena_make(&s->arena, (len + page - 1) / page * page);
}

static void *map(struct dmm_stack *s, uint64_t first, unsigned int index, size_t len, bool write)
{
	uint64_t offset = first + (uint64_t)index * s->reg.queue_step;

	return s->device.ops->map(s->device.dev, offset, len, write);
}

/*
 * The indices are what they are in the rings: zero for a new instance, and where
 * the kernel says that it stands for a successor's.
 */
static int queue_init(struct dmm_queue *q, struct dmm_stack *s, unsigned int index)
{
	uint32_t conns = s->reg.nr_conns ? s->reg.nr_conns : s->arena.len / DMM_PAGE_SIZE;

	q->stack = s;
	q->index = index;
	q->pending_end = &q->pending;
	q->kernel = map(s, s->reg.kernel_off, index, s->reg.kernel_len, false);
	q->area = map(s, s->reg.stack_off, index, s->reg.stack_len, true);
	if (!q->kernel || !q->area)
		return -ENOMEM;
	q->down_tail = load_relaxed(&q->area->down_tail);
	q->up_head = load_relaxed(&q->area->up_head);
	return dmm_table_init(&q->table, conns);
}

static void queue_exit(struct dmm_queue *q)
{
	const struct dmm_stack *s = q->stack;

	if (!s)
		return;
	dmm_conns_exit(q);
	if (q->kernel)
		s->device.ops->unmap(s->device.dev, q->kernel, s->reg.kernel_len);
	if (q->area)
		s->device.ops->unmap(s->device.dev, q->area, s->reg.stack_len);
}

static int make_queues(struct dmm_stack *s)
{
	int ret = 0;

	s->queues = calloc(s->reg.nr_queues, sizeof(*s->queues));
	if (!s->queues)
		return -ENOMEM;
	for (unsigned int i = 0; i < s->reg.nr_queues && !ret; i++)
		ret = queue_init(&s->queues[i], s, i);
	return ret;
}

static int open_device(struct dmm_stack *s, const struct dmm_stack_config *config)
{
	if (!config->device)
		return dmm_device_open(&s->device, config->path);
	s->device = *config->device;
	return 0;
}

static struct dmm_stack *new_stack(const struct dmm_stack_config *config)
{
	struct dmm_stack *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ops = config->ops;
	s->arg = config->arg;
	s->arena.fd = -1;
	return s;
}

DMM_EXPORT int dmm_stack_open(struct dmm_stack **stack, const struct dmm_stack_config *config)
{
	struct dmm_stack *s = new_stack(config);
	int ret;

	*stack = NULL;
	if (!s)
		return -ENOMEM;
	ret = open_device(s, config);
	if (!ret)
		ret = register_of(config, &s->reg);
	if (!ret)
		ret = make_arena(s, config->arena);
	if (!ret) {
		s->reg.arena_fd = s->arena.fd;
		s->reg.arena_addr = (uintptr_t)s->arena.base;
		s->reg.arena_len = s->arena.len;
		ret = s->device.ops->reg(s->device.dev, &s->reg);
	}
	if (!ret)
		ret = make_queues(s);
	if (ret) {
		dmm_stack_close(s);
		return ret;
	}
	*stack = s;
	return 0;
}

static int take_over(struct dmm_stack *s)
{
	struct dmm_takeover takeover = { 0 };
	int ret = s->device.ops->takeover(s->device.dev, &takeover);

	if (ret)
		return ret;
	s->reg = takeover.reg;
	if (s->reg.arena_fd < 0)
		return -EOPNOTSUPP;
	ret = dmm_arena_map(&s->arena, s->reg.arena_fd, s->reg.arena_len);
	if (ret) {
		close(s->reg.arena_fd);
		return ret;
	}
	return make_queues(s);
}

DMM_EXPORT int dmm_stack_takeover(struct dmm_stack **stack, const struct dmm_stack_config *config,
				  int fd)
{
	struct dmm_stack *s = new_stack(config);
	int ret;

	*stack = NULL;
	if (!s) {
		if (!config->device)
			close(fd);
		return -ENOMEM;
	}
	if (config->device)
		s->device = *config->device;
	else
		dmm_device_use(&s->device, fd);
	ret = take_over(s);
	if (ret) {
		dmm_stack_close(s);
		return ret;
	}
	*stack = s;
	return 0;
}

/* The device goes first: the kernel must not find the arena's pages elsewhere. */
DMM_EXPORT void dmm_stack_close(struct dmm_stack *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; s->queues && i < s->reg.nr_queues; i++)
		queue_exit(&s->queues[i]);
	free(s->queues);
	if (s->device.ops)
		s->device.ops->close(s->device.dev);
	dmm_arena_unmap(&s->arena);
	free(s);
}

DMM_EXPORT int dmm_stack_fd(const struct dmm_stack *s)
{
	return s->device.ops->fd(s->device.dev);
}

DMM_EXPORT struct dmm_queue *dmm_stack_queue(const struct dmm_stack *s, unsigned int index)
{
	return index < s->reg.nr_queues ? &s->queues[index] : NULL;
}

DMM_EXPORT unsigned int dmm_stack_queues(const struct dmm_stack *s)
{
	return s->reg.nr_queues;
}

DMM_EXPORT void *dmm_stack_arg(const struct dmm_stack *s)
{
	return s->arg;
}

DMM_EXPORT const char *dmm_stack_instance(const struct dmm_stack *s)
{
	return s->reg.instance;
}

DMM_EXPORT uint64_t dmm_stack_features(const struct dmm_stack *s)
{
	return s->reg.features;
}

DMM_EXPORT void *dmm_stack_arena(const struct dmm_stack *s, size_t *len)
{
	*len = s->arena.len;
	return s->arena.base;
}

DMM_EXPORT int dmm_stack_address(struct dmm_stack *s, bool add, int family, const void *addr,
				 unsigned int len)
{
	struct dmm_address address = {
		.flags = add ? 0 : DMM_ADDRESS_DEL,
		.family = family,
		.len = len,
	};

	if ((family != AF_INET && family != AF_INET6) || len > (family == AF_INET ? 32 : 128))
		return -EINVAL;
	memcpy(address.addr, addr, family == AF_INET ? 4 : 16);
	return s->device.ops->address(s->device.dev, &address);
}

DMM_EXPORT unsigned int dmm_queue_index(const struct dmm_queue *queue)
{
	return queue->index;
}

DMM_EXPORT struct dmm_stack *dmm_queue_stack(const struct dmm_queue *queue)
{
	return queue->stack;
}

DMM_EXPORT void dmm_queue_stats(const struct dmm_queue *queue, struct dmm_queue_stats *stats)
{
	*stats = queue->stats;
}
