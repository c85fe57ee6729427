// SPDX-License-Identifier: Apache-2.0
/* The device operations: registering, entering, taking over. */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One open file. */
struct handle {
	struct dmm_peer *peer;
	uint32_t generation;	/* of the instance; 0: not its owner */
};

struct dmm_peer *dmm_peer_new(void)
{
	struct dmm_peer *peer = calloc(1, sizeof(*peer));
	pthread_condattr_t attr;

	if (!peer)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&peer->lock, NULL);
	pthread_cond_init(&peer->wake_stack, &attr);
	pthread_cond_init(&peer->wake_apps, &attr);
	pthread_condattr_destroy(&attr);
	return peer;
}

static uint32_t rounded(size_t len)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (len + page - 1) / page * page;
}

static bool is_ring_size(uint32_t size)
{
	return size >= DMM_PAGE_SIZE && size <= DMM_RING_MAX && !(size & (size - 1));
}

static int check(const struct dmm_register *reg)
{
	if (reg->size != sizeof(*reg) || reg->flags || reg->reserved || !reg->name[0])
		return -EINVAL;
	if (reg->caps & ~DMM_CAPS_ALL || reg->weight > 1000)
		return -EINVAL;
	if (!reg->nr_queues || reg->nr_queues > DMM_QUEUES_MAX)
		return -EINVAL;
	if (reg->nr_events < DMM_EVENTS_MIN || reg->nr_events > DMM_EVENTS_MAX ||
	    reg->nr_events & (reg->nr_events - 1))
		return -EINVAL;
	if (reg->nr_conns > DMM_CONNS_MAX || !reg->arena_len || reg->arena_len % DMM_PAGE_SIZE)
		return -EINVAL;
	return 0;
}

static int make_queue(struct dmm_peer *peer, struct peer_queue *q)
{
	q->kernel = aligned_alloc(sysconf(_SC_PAGESIZE), peer->reg.kernel_len);
	q->area = aligned_alloc(sysconf(_SC_PAGESIZE), peer->reg.stack_len);
	if (!q->kernel || !q->area)
		return -ENOMEM;
	memset(q->kernel, 0, peer->reg.kernel_len);
	memset(q->area, 0, peer->reg.stack_len);
	return 0;
}

static void fill_in(struct dmm_register *reg)
{
	size_t events = (size_t)reg->nr_events * sizeof(struct dmm_event);

	reg->features &= DMM_FEATS_ALL;
	if (!reg->instance[0])
		strcpy(reg->instance, "0");
	if (!reg->nr_conns || reg->nr_conns > reg->arena_len / DMM_PAGE_SIZE)
		reg->nr_conns = reg->arena_len / DMM_PAGE_SIZE;
	if (!reg->nr_conns || reg->nr_conns > DMM_CONNS_MAX)
		reg->nr_conns = DMM_CONNS_MAX;
	if (!reg->sndbuf)
		reg->sndbuf = 256 << 10;
	if (!reg->rcvbuf)
		reg->rcvbuf = 256 << 10;
	reg->kernel_len = rounded(sizeof(struct dmm_kernel_area) + events);
	reg->stack_len = rounded(sizeof(struct dmm_stack_area) + events);
	reg->kernel_off = 0;
	reg->stack_off = reg->kernel_len;
	reg->queue_step = reg->kernel_len + reg->stack_len;
}

static int make_instance(struct dmm_peer *peer, struct dmm_register *reg)
{
	int ret = 0;

	fill_in(reg);
	if (!is_ring_size(reg->sndbuf) || !is_ring_size(reg->rcvbuf))
		return -EINVAL;
	peer->reg = *reg;
	peer->arena = (struct arena){ (void *)(uintptr_t)reg->arena_addr, reg->arena_len, -1 };
	if (reg->arena_fd >= 0)
		peer->arena.fd = dup(reg->arena_fd);
	peer->used = calloc(reg->arena_len / DMM_PAGE_SIZE, 1);
	peer->conns = calloc(reg->nr_conns, sizeof(*peer->conns));
	peer->queues = calloc(reg->nr_queues, sizeof(*peer->queues));
	if (!peer->used || !peer->conns || !peer->queues)
		return -ENOMEM;
	/* Nobody can be given page 0 by mistake. */
	peer->used[0] = 1;
	for (unsigned int i = 0; i < reg->nr_queues && !ret; i++)
		ret = make_queue(peer, &peer->queues[i]);
	return ret;
}

static int peer_reg(void *dev, struct dmm_register *reg)
{
	struct handle *h = dev;
	struct dmm_peer *peer = h->peer;
	int ret = check(reg);

	if (ret)
		return ret;
	pthread_mutex_lock(&peer->lock);
	if (peer->reg.nr_queues) {
		ret = h->generation ? -EBUSY : -EEXIST;
	} else if (reg->required & ~DMM_FEATS_ALL) {
		reg->features = DMM_FEATS_ALL;
		ret = -EOPNOTSUPP;
	} else {
		ret = make_instance(peer, reg);
		h->generation = ++peer->generation;
	}
	pthread_mutex_unlock(&peer->lock);
	return ret;
}

static int check_owner(const struct handle *h)
{
	if (!h->generation)
		return -ENXIO;
	if (h->generation != h->peer->generation)
		return -ESTALE;
	return h->peer->dead ? -EIO : 0;
}

/* So many nanoseconds from now. */
struct timespec dmm_peer_deadline(int64_t ns)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ns / 1000000000;
	ts.tv_nsec += ns % 1000000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

/* The timeout is read again after each wake-up: that is how a thread is called back. */
static int wait_down(const struct handle *h, struct peer_queue *q, const struct dmm_enter *enter)
{
	struct dmm_peer *peer = h->peer;
	int64_t timeout = load_relaxed(&enter->timeout);
	struct timespec end = dmm_peer_deadline(timeout < 0 ? 0 : timeout);
	int ret = 0;

	while (!ret && q->down_head == load_relaxed(&q->area->down_tail)) {
		ret = check_owner(h);
		timeout = load_relaxed(&enter->timeout);
		if (ret || !timeout)
			return ret;
		if (timeout < 0)
			pthread_cond_wait(&peer->wake_stack, &peer->lock);
		else if (pthread_cond_timedwait(&peer->wake_stack, &peer->lock, &end))
			return 0;
	}
	return ret;
}

static int peer_enter(void *dev, struct dmm_enter *enter)
{
	struct handle *h = dev;
	struct dmm_peer *peer = h->peer;
	int ret;

	pthread_mutex_lock(&peer->lock);
	ret = check_owner(h);
	if (!ret && (enter->queue >= peer->reg.nr_queues || enter->flags & ~DMM_ENTER_WAIT))
		ret = -EINVAL;
	if (!ret)
		ret = dmm_peer_up(peer, enter->queue);
	if (!ret)
		dmm_peer_down_held(peer, &peer->queues[enter->queue]);
	if (!ret && enter->flags & DMM_ENTER_WAIT)
		ret = wait_down(h, &peer->queues[enter->queue], enter);
	pthread_mutex_unlock(&peer->lock);
	return ret;
}

static int peer_address(void *dev, const struct dmm_address *address)
{
	(void)dev;
	(void)address;
	return 0;
}

/*
 * The old owner's mapping of the arena goes with it, so the peer has one of its
 * own from now on.
 */
static int move_arena(struct dmm_peer *peer)
{
	void *p = mmap(NULL, peer->arena.len, PROT_READ | PROT_WRITE, MAP_SHARED, peer->arena.fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	if (peer->own_mapping)
		munmap(peer->arena.base, peer->arena.len);
	peer->own_mapping = true;
	peer->arena.base = p;
	for (struct dmm_peer_socket *s = peer->sockets; s; s = s->next) {
		if (!s->id)
			continue;
		s->page = (struct dmm_page *)(peer->arena.base + s->page_run.offset);
		dmm_peer_conn_rings(s);
	}
	return 0;
}

/* Up events that were published count; down events that were not taken do not. */
static void reset_queue(struct dmm_peer *peer, unsigned int index)
{
	struct peer_queue *q = &peer->queues[index];

	dmm_peer_up(peer, index);
	q->nr_held = 0;
	q->down_head = q->up_tail = 0;
	memset(q->kernel, 0, sizeof(*q->kernel));
	memset(q->area, 0, sizeof(*q->area));
}

static void retell(struct dmm_peer_socket *s)
{
	s->data_was_told = s->space_was_told = false;
	switch (s->state) {
	case SOCK_CONNECTING:
		dmm_peer_say_open(s, DMM_EV_CONNECT, 0);
		break;
	case SOCK_BINDING:
		dmm_peer_say_open(s, DMM_EV_BIND, 0);
		break;
	case SOCK_LISTENING:
		dmm_peer_say_open(s, DMM_EV_LISTEN, s->backlog);
		break;
	default:
		dmm_peer_say_open(s, DMM_EV_RESUME, s->state == SOCK_LISTENER ? s->backlog : 0);
	}
	if (s->shut)
		dmm_peer_say(s, DMM_EV_SHUTDOWN, 0, 0);
	if (s->closing)
		dmm_peer_say(s, DMM_EV_CLOSE, 0, 0);
}

static int peer_takeover(void *dev, struct dmm_takeover *takeover)
{
	struct handle *h = dev;
	struct dmm_peer *peer = h->peer;
	int ret;

	pthread_mutex_lock(&peer->lock);
	ret = !peer->reg.nr_queues ? -ENXIO : peer->dead ? -EIO : move_arena(peer);
	if (!ret) {
		h->generation = ++peer->generation;
		for (unsigned int i = 0; i < peer->reg.nr_queues; i++)
			reset_queue(peer, i);
		for (struct dmm_peer_socket *s = peer->sockets; s; s = s->next)
			if (s->id)
				retell(s);
		takeover->reg = peer->reg;
		takeover->reg.arena_addr = 0;
		takeover->reg.arena_fd = dup(peer->arena.fd);
		takeover->generation = peer->generation;
		pthread_cond_broadcast(&peer->wake_stack);
	}
	pthread_mutex_unlock(&peer->lock);
	return ret;
}

static void *peer_map(void *dev, uint64_t offset, size_t len, bool write)
{
	const struct dmm_peer *peer = ((struct handle *)dev)->peer;
	const struct dmm_register *reg = &peer->reg;
	uint64_t queue = offset / reg->queue_step, rest = offset % reg->queue_step;

	if (queue >= reg->nr_queues)
		return NULL;
	if (rest == reg->kernel_off && len == reg->kernel_len && !write)
		return peer->queues[queue].kernel;
	if (rest == reg->stack_off && len == reg->stack_len)
		return peer->queues[queue].area;
	return NULL;
}

static void peer_unmap(void *dev, void *addr, size_t len)
{
	(void)dev;
	(void)addr;
	(void)len;
}

/* Whoever waits looks whether it was meant. */
static void peer_wake(void *dev, pid_t thread)
{
	struct dmm_peer *peer = ((struct handle *)dev)->peer;

	(void)thread;
	pthread_mutex_lock(&peer->lock);
	pthread_cond_broadcast(&peer->wake_stack);
	pthread_mutex_unlock(&peer->lock);
}

static int peer_fd(void *dev)
{
	(void)dev;
	return -1;
}

/* R12: connections are reset, connects and binds fail. */
static void end_instance(struct dmm_peer *peer)
{
	struct dmm_peer_socket *s, *next;

	peer->dead = true;
	for (s = peer->sockets; s; s = next) {
		next = s->next;
		if (!s->id)
			continue;
		dmm_peer_listener_gone(s);
		dmm_peer_fail(s, ECONNRESET);
		dmm_peer_conn_end(s);
		if (s->app_gone)
			dmm_peer_put_socket(s);
	}
	pthread_cond_broadcast(&peer->wake_apps);
}

static void peer_close(void *dev)
{
	struct handle *h = dev;
	struct dmm_peer *peer = h->peer;

	pthread_mutex_lock(&peer->lock);
	if (h->generation && h->generation == peer->generation)
		end_instance(peer);
	pthread_mutex_unlock(&peer->lock);
	free(h);
}

static const struct dmm_device_ops peer_ops = {
	.reg = peer_reg,
	.enter = peer_enter,
	.address = peer_address,
	.takeover = peer_takeover,
	.map = peer_map,
	.unmap = peer_unmap,
	.wake = peer_wake,
	.fd = peer_fd,
	.close = peer_close,
};

struct dmm_device dmm_peer_device(struct dmm_peer *peer)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	h->peer = peer;
	return (struct dmm_device){ &peer_ops, h };
}

void dmm_peer_free(struct dmm_peer *peer)
{
	while (peer->sockets)
		dmm_peer_put_socket(peer->sockets);
	for (unsigned int i = 0; peer->queues && i < peer->reg.nr_queues; i++) {
		free(peer->queues[i].kernel);
		free(peer->queues[i].area);
		free(peer->queues[i].held);
	}
	if (peer->own_mapping)
		munmap(peer->arena.base, peer->arena.len);
	if (peer->arena.fd > 0)
		close(peer->arena.fd);
	free(peer->queues);
	free(peer->conns);
	free(peer->used);
	pthread_cond_destroy(&peer->wake_stack);
	pthread_cond_destroy(&peer->wake_apps);
	pthread_mutex_destroy(&peer->lock);
	free(peer);
}

void dmm_peer_stats(struct dmm_peer *peer, struct dmm_peer_stats *stats)
{
	pthread_mutex_lock(&peer->lock);
	*stats = peer->stats;
	pthread_mutex_unlock(&peer->lock);
}

void dmm_peer_inject(struct dmm_peer *peer, unsigned int queue, const struct dmm_event *event)
{
	pthread_mutex_lock(&peer->lock);
	dmm_peer_down(peer, queue, event);
	pthread_mutex_unlock(&peer->lock);
}
