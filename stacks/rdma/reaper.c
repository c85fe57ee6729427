// SPDX-License-Identifier: Apache-2.0
/*
 * Ids of the connection manager that are over.  To destroy one says goodbye to the peer, and waits until
 * that is sent.
 *
 * While a port is down that must not be tried: rdma_rxe would send nothing for the connection manager any
 * more, even when the port is up again, and in 6.1 cm_destroy_id() would wait for ever.  So ids of
 * connections that the link has broken are kept until it has been up for a while.
 *
 * It could still happen to one that was saying goodbye when the port went down, so ids are destroyed by a
 * thread that nobody waits for.  Of the descriptors it has the connection manager's alone: should it be
 * stuck when the daemon ends, the others are closed all the same, and by that of the instance the kernel
 * knows that the daemon is gone.
 */
#include "rdma.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define KEEP	INT64_C(1000000000)	/* nanoseconds: addresses and routes come back after the port */

struct rd_dead_id {
	STAILQ_ENTRY(rd_dead_id) link;
	struct rdma_cm_id *id;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
/* Protected by the lock. */
static struct rd_dead_ids queue = STAILQ_HEAD_INITIALIZER(queue);
static unsigned int nr;		/* in the queue, and being destroyed */

static struct rd_dead_id *take(void)
{
	struct rd_dead_id *d;

	pthread_mutex_lock(&lock);
	while (!(d = STAILQ_FIRST(&queue)))
		pthread_cond_wait(&more, &lock);
	STAILQ_REMOVE_HEAD(&queue, link);
	pthread_mutex_unlock(&lock);
	return d;
}

static void *destroy_ids(void *unused)
{
	unsigned int keep = rd.cm->fd;
	struct rd_dead_id *d;

	if (!unshare(CLONE_FILES)) {
		if (keep)
			close_range(0, keep - 1, 0);
		close_range(keep + 1, UINT_MAX, 0);
	}
	for (;;) {
		d = take();
		rdma_destroy_id(d->id);
		free(d);
		pthread_mutex_lock(&lock);
		nr--;
		pthread_mutex_unlock(&lock);
	}
	return unused;
}

int rd_reaper_init(void)
{
	pthread_t thread;
	int ret = pthread_create(&thread, NULL, destroy_ids, NULL);

	return ret ? -ret : pthread_detach(thread);
}

static void destroy(struct rd_dead_id *d)
{
	pthread_mutex_lock(&lock);
	STAILQ_INSERT_TAIL(&queue, d, link);
	nr++;
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
}

void rd_reaper_port_up(struct rd_device *dev)
{
	dev->keep_until = rd.now + KEEP;
}

void rd_reaper_take(struct rdma_cm_id *id, struct rd_device *dev)
{
	struct rd_dead_id *d = malloc(sizeof(*d));

	if (!d) {
		rdma_destroy_id(id);
		return;
	}
	/* Events that it still has are nobody's. */
	id->context = NULL;
	d->id = id;
	if (!dev)
		return destroy(d);
	STAILQ_INSERT_TAIL(&dev->kept, d, link);
	rd_reaper_port_up(dev);
}

int64_t rd_reaper_timer(struct rd_device *dev)
{
	struct rd_dead_id *d;

	if (STAILQ_EMPTY(&dev->kept))
		return -1;
	if (rd.now < dev->keep_until)
		return dev->keep_until - rd.now;
	while ((d = STAILQ_FIRST(&dev->kept))) {
		STAILQ_REMOVE_HEAD(&dev->kept, link);
		destroy(d);
	}
	return -1;
}

bool rd_reaper_is_stuck(void)
{
	bool stuck;

	pthread_mutex_lock(&lock);
	stuck = nr > rd.conns;
	pthread_mutex_unlock(&lock);
	return stuck;
}
