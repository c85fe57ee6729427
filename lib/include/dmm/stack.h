/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SDK for transport stacks in user space that serve DMM sockets.
 *
 * A stack fills in a table of callbacks, opens an instance and runs it:
 *
 *	static const struct dmm_stack_ops ops = { .connect = ..., ... };
 *	struct dmm_stack_config config = { .name = "mine", .ops = &ops, ... };
 *
 *	dmm_stack_open(&stack, &config);
 *	dmm_stack_run(stack);
 *	dmm_stack_close(stack);
 *
 * or calls dmm_stack_poll() from a loop of its own.  doc/stacks.md is the guide,
 * <linux/dmm_dev.h> the contract with the kernel below all this.
 *
 * Threads.  An instance has queues, and a connection belongs to one of them for
 * its life.  What may be called from where:
 *
 *	struct dmm_conn		in the thread that polls its queue.  Callbacks run
 *				there, too
 *	struct dmm_queue	likewise; but dmm_queue_call(), dmm_queue_settle(),
 *				dmm_queue_index() and dmm_queue_stack() anywhere,
 *				and dmm_queue_wake() in signal handlers, too
 *	struct dmm_stack	open, takeover, run, send and close in one thread at
 *				a time while no queue is polled; stop anywhere and
 *				in signal handlers; the others anywhere
 *
 * Different queues can be polled at the same time, one queue by one thread at a
 * time.  What threads of a stack share is the author's to lock; to work on another
 * queue's connection use dmm_queue_call().  Applications' events are in order for
 * each queue only: see dmm_queue_settle().  After fork() only one of the processes
 * may go on.
 *
 * Errors are negative errno values.  Nothing here prints, exits or blocks but
 * dmm_stack_run(), dmm_stack_poll() with a timeout, dmm_stack_send() and
 * dmm_stack_receive().
 */
#ifndef DMM_STACK_H
#define DMM_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <linux/dmm_dev.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dmm_stack;	/* an instance of a stack */
struct dmm_queue;	/* a part of it that one thread works on */
struct dmm_conn;	/* a connection, a listener, or a datagram socket */
struct dmm_device;

/**
 * struct dmm_stack_ops - what a stack does
 * @connect:	connect to @open->remote.  Answer, now or later, by
 *		dmm_conn_connected(), dmm_conn_pair() or dmm_conn_error().
 *		SOCK_DGRAM (dmm_conn_type()): from now on @open->remote is the
 *		only far end; may come again, also after @bind
 * @listen:	listen at @open->local for at most @backlog connections that
 *		nobody has accepted.  Answer dmm_conn_listening() or
 *		dmm_conn_error().  Called again when the backlog changes
 *		(no answer then)
 * @bind:	a datagram socket at @open->local.  Answer dmm_conn_connected()
 *		or dmm_conn_error()
 * @accepted:	what dmm_conn_incoming() announced is a connection now: bytes
 *		can go both ways
 * @refused:	or it is not wanted: @error is -ECONNREFUSED (nobody listens any
 *		more), -EAGAIN (the backlog is full) or -ENOMEM.  @conn is gone
 *		when this returns
 * @tx_data:	there are bytes (datagrams) to transmit, after dmm_conn_tx_peek()
 *		(dmm_conn_tx_datagram()) found none.  Also called once when a
 *		connection or datagram socket is answered and has some already
 * @rx_space:	there is room, after dmm_conn_rx_reserve() and its like found
 *		less than was wanted.  May come without enough room
 * @shutdown:	the application sends no more: when all is transmitted, say so
 *		to the peer
 * @close:	the application is gone.  Transmit what is there, then end the
 *		connection, or with @reset end it at once; then call
 *		dmm_conn_closed().  No callback for @conn follows
 * @option:	dmm_conn_options() changed
 * @resume:	after dmm_stack_takeover(): @conn, which the predecessor had,
 *		is the successor's.  @backlog counts for listeners only
 * @poll:	once per turn of the queue, after the events: the stack's own
 *		work, as looking at a network card.  Returns nanoseconds until it
 *		wants to be called again at the latest; 0: at once, do not sleep;
 *		negative: when there are events
 *
 * @open is valid during the call only.  Without @connect, @listen or @bind such
 * sockets are refused with EOPNOTSUPP; without @close they are closed at once;
 * the others may be missing when there is nothing to do.
 */
struct dmm_stack_ops {
	void (*connect)(struct dmm_conn *conn, const struct dmm_open *open);
	void (*listen)(struct dmm_conn *conn, const struct dmm_open *open, int backlog);
	void (*bind)(struct dmm_conn *conn, const struct dmm_open *open);
	void (*accepted)(struct dmm_conn *conn);
	void (*refused)(struct dmm_conn *conn, int error);
	void (*tx_data)(struct dmm_conn *conn);
	void (*rx_space)(struct dmm_conn *conn);
	void (*shutdown)(struct dmm_conn *conn);
	void (*close)(struct dmm_conn *conn, bool reset);
	void (*option)(struct dmm_conn *conn);
	void (*resume)(struct dmm_conn *conn, const struct dmm_open *open, int backlog);
	int64_t (*poll)(struct dmm_queue *queue);
};

/**
 * struct dmm_stack_config - how to open an instance
 * @name:	name of the stack, as in rules
 * @instance:	name of the instance; NULL or "": the kernel chooses
 * @path:	the device; NULL: /dev/dmm
 * @device:	what to use in place of a device (dmm/stack_peer.h); NULL: @path.
 *		dmm_stack_close() closes it
 * @ops:	the callbacks, which must stay
 * @arg:	for dmm_stack_arg()
 * @arena:	bytes of memory for connections and their rings, rounded up to
 *		pages; 0: 64 MiB.  An idle connection costs 4 KiB
 * @features:	DMM_FEAT_* to offer; 0: all that the SDK knows
 * @required:	DMM_FEAT_* to fail without
 * @caps:	DMM_CAP_*
 * @weight:	share of new connections beside other instances, 1 to 1000; 0: 100
 * @queues:	1 to DMM_QUEUES_MAX; 0: 1
 * @events:	events per ring, a power of two from DMM_EVENTS_MIN; 0: 1024
 * @conns:	connections at a time at most; 0: as many as the arena takes
 * @sndbuf:	bytes that a tx ring grows to, or, without DMM_FEAT_GROW, has at
 *		most, a power of two; 0: 256 KiB
 * @rcvbuf:	likewise of rx rings
 *
 * Zero it first: members that are added later mean "as before" when zero.
 */
struct dmm_stack_config {
	const char *name;
	const char *instance;
	const char *path;
	const struct dmm_device *device;
	const struct dmm_stack_ops *ops;
	void *arg;
	uint64_t arena;
	uint64_t features;
	uint64_t required;
	uint32_t caps;
	uint32_t weight;
	uint32_t queues;
	uint32_t events;
	uint32_t conns;
	uint32_t sndbuf;
	uint32_t rcvbuf;
	uint32_t reserved[9];
};

/**
 * dmm_stack_open() - register an instance
 *
 * SIGURG, by which sleeping threads are woken, gets an empty handler unless it has
 * one; it must not be blocked where queues are polled.
 *
 * Returns 0 and the instance in @stack, or the error of open(2) or of
 * DMM_IOC_REGISTER: ENOENT (no module), EPERM, EEXIST (an instance of this name
 * is there), EINVAL, EOPNOTSUPP (@config->required), ENOMEM.
 */
int dmm_stack_open(struct dmm_stack **stack, const struct dmm_stack_config *config);

/**
 * dmm_stack_takeover() - go on with a predecessor's instance
 * @fd:		its dmm_stack_fd(), which came by fork() or SCM_RIGHTS (see
 *		dmm_stack_receive()); the stack's from now on, also on errors.
 *		Ignored with @config->device
 *
 * Of @config, @path, @ops and @arg count, and @device; the rest is as it was.
 * What the instance has comes by callbacks: connect, listen and bind for sockets
 * that wait for an answer, resume for the others, then shutdown and close for
 * those to which they apply.  Errors: ENXIO: not an instance; EIO: a dead one;
 * EOPNOTSUPP: its arena is no file; ENOMEM.
 */
int dmm_stack_takeover(struct dmm_stack **stack, const struct dmm_stack_config *config, int fd);

/**
 * dmm_stack_close() - end the instance
 *
 * Connections are reset unless a successor has the file.  No callback is called;
 * all struct dmm_conn are gone.
 */
void dmm_stack_close(struct dmm_stack *stack);

/**
 * dmm_stack_run() - work until dmm_stack_stop()
 *
 * Starts a thread for each queue but the first, which is the caller's, and ends
 * them before it returns.  Sleeps when there is nothing to do: at once after a long
 * sleep, otherwise, if there is more than one processor, after looking for up to 50
 * microseconds, so that between two busy sides there are neither sleeps nor
 * wake-ups.  Returns 0 after dmm_stack_stop(), -ESTALE when a successor has taken
 * over, -EIO when the instance is dead, or what pthread_create() says.  Can be
 * called again.
 */
int dmm_stack_run(struct dmm_stack *stack);

/* dmm_stack_stop() - make dmm_stack_run() return soon; for signal handlers, too */
void dmm_stack_stop(struct dmm_stack *stack);

/**
 * dmm_stack_poll() - one turn of a queue
 * @timeout:	nanoseconds to wait at most; 0: do not wait; negative: no limit
 *
 * Calls back for the events that are there (at most 64), for the calls that were
 * given and for ops->poll, hands over what the callbacks had to say, then waits for
 * the next event or call, if there was none and @timeout (and what ops->poll
 * returned) allow.  What ends the wait is acted upon by the next call.
 *
 * Returns the number of events and calls that were acted upon, or -ESTALE, -EIO,
 * -ENXIO, after which the queue is of no more use.  A signal ends the wait early.
 */
int dmm_stack_poll(struct dmm_queue *queue, int64_t timeout);

/**
 * dmm_stack_arm() - about to wait for dmm_stack_fd() with poll(2) or epoll
 *
 * Returns 0: wait, the descriptor becomes readable with the next event; 1: do
 * not, there is something to do now.  dmm_stack_poll() disarms.
 *
 * The descriptor is that of all queues together, so one thread waits for it, with
 * all of them armed.  It does not become readable by dmm_queue_wake() and its like:
 * whoever uses these from other threads needs a descriptor of his own for that
 * (eventfd).
 */
int dmm_stack_arm(struct dmm_queue *queue);

/* dmm_stack_fd() - readable when an armed queue has events; -1 if there is none */
int dmm_stack_fd(const struct dmm_stack *stack);

struct dmm_queue *dmm_stack_queue(const struct dmm_stack *stack, unsigned int index);
unsigned int dmm_stack_queues(const struct dmm_stack *stack);
void *dmm_stack_arg(const struct dmm_stack *stack);

/* dmm_stack_instance() - name of the instance, as the kernel has it */
const char *dmm_stack_instance(const struct dmm_stack *stack);

/* dmm_stack_features() - DMM_FEAT_* in force */
uint64_t dmm_stack_features(const struct dmm_stack *stack);

/* dmm_stack_arena() - where the arena is, to be registered with devices */
void *dmm_stack_arena(const struct dmm_stack *stack, size_t *len);

/**
 * dmm_stack_address() - add or remove a local address prefix of the stack
 * @family:	AF_INET or AF_INET6
 * @addr:	4 or 16 bytes, network byte order
 * @len:	bits that count
 *
 * A stack without any serves all addresses.  For any thread.  Errors: EINVAL,
 * EEXIST, ENOENT, ENOSPC.
 */
int dmm_stack_address(struct dmm_stack *stack, bool add, int family, const void *addr,
		      unsigned int len);

unsigned int dmm_queue_index(const struct dmm_queue *queue);
struct dmm_stack *dmm_queue_stack(const struct dmm_queue *queue);

/**
 * dmm_queue_wake() - let the queue make a turn soon, and so call ops->poll
 *
 * Ends the wait of dmm_stack_poll() and dmm_stack_run(), or keeps it from
 * beginning.  What the caller has written before is there in that turn.  For any
 * thread and for signal handlers (but not with the in-process peer).  Costs a system
 * call only if the queue's thread sleeps.
 */
void dmm_queue_wake(struct dmm_queue *queue);

/**
 * struct dmm_call - something to be done in another queue's thread
 * @fn:		the author's function, which gets this struct; what else it needs
 *		is around it
 *
 * The rest is the SDK's.
 */
struct dmm_call {
	void (*fn)(struct dmm_call *call);
	void (*then)(struct dmm_call *call);
	struct dmm_call *next;
	struct dmm_queue *back;
	unsigned int at;
};

/**
 * dmm_queue_call() - call @call->fn in the queue's thread
 *
 * How a thread works on connections of another queue: whether they are still there
 * is known when @fn is called.  Calls are made once each, in the order in which they
 * were given, and after the events that were there by then.  @call is the SDK's
 * until @fn is called, which may free it or give it again.  Those that are left are
 * not called by dmm_stack_close(): they stay the author's.
 */
void dmm_queue_call(struct dmm_queue *queue, struct dmm_call *call);

/**
 * dmm_queue_settle() - the same when all queues have acted upon what is there now
 *
 * An application may listen and then connect there, on two queues: the second event
 * can be acted upon before the first, likewise after dmm_stack_takeover().  A stack
 * of several queues that finds no listener settles, and looks once more, before it
 * refuses.
 */
void dmm_queue_settle(struct dmm_queue *queue, struct dmm_call *call);

/**
 * struct dmm_queue_stats - what a queue has done
 * @down:	events from the kernel
 * @up:		events to the kernel
 * @enters:	system calls, of those
 * @waits:	that could sleep
 * @backlog:	turns after which up events had to wait for room
 * @stale:	down events of connections that were gone: no fault
 * @bad:	down events and shared words that made no sense
 */
struct dmm_queue_stats {
	uint64_t down;
	uint64_t up;
	uint64_t enters;
	uint64_t waits;
	uint64_t backlog;
	uint64_t stale;
	uint64_t bad;
};

void dmm_queue_stats(const struct dmm_queue *queue, struct dmm_queue_stats *stats);

/*
 * Connections.  A struct dmm_conn comes from a callback (connect, listen, bind,
 * resume) or from dmm_conn_incoming(), and is the stack's until it calls
 * dmm_conn_closed(), dmm_conn_pair(), dmm_conn_error() as an answer, or
 * ops->refused returns.
 */

/* The stack author's object; NULL at first. */
void *dmm_conn_priv(const struct dmm_conn *conn);
void dmm_conn_set_priv(struct dmm_conn *conn, void *priv);

struct dmm_queue *dmm_conn_queue(const struct dmm_conn *conn);
void *dmm_conn_arg(const struct dmm_conn *conn);	/* dmm_stack_arg() of its stack */

/* SOCK_STREAM or SOCK_DGRAM. */
int dmm_conn_type(const struct dmm_conn *conn);

/* DMM_EVF_* of the event that made it: DMM_EVF_DUAL. */
unsigned int dmm_conn_flags(const struct dmm_conn *conn);

/* The kernel's name for it, unique in the instance; 0 before ops->accepted. */
uint64_t dmm_conn_id(const struct dmm_conn *conn);

/* Written by the kernel; see ops->option.  NULL before ops->accepted. */
const struct dmm_options *dmm_conn_options(const struct dmm_conn *conn);

/* For the stack to write at any time, plain stores.  NULL before ops->accepted. */
struct dmm_metrics *dmm_conn_metrics(struct dmm_conn *conn);

/**
 * dmm_conn_connected() - the answer to connect and bind: it worked
 * @local:	its local, lport and family are the local end; NULL: as asked for
 */
void dmm_conn_connected(struct dmm_conn *conn, const struct dmm_open *local);

/* dmm_conn_listening() - the answer to listen */
void dmm_conn_listening(struct dmm_conn *conn);

/**
 * dmm_conn_error() - something failed
 * @error:	negative errno, as the application shall see it
 *
 * As the answer to connect, listen or bind: @conn is gone.  Later: the
 * connection is broken, ops->close follows when the application has closed it;
 * of a datagram socket: an error of the network that the application is told
 * once.
 */
void dmm_conn_error(struct dmm_conn *conn, int error);

/**
 * dmm_conn_pair() - the answer to connect: join it to a listener in the kernel
 * @listener:	of the same stack
 * @local:	its local, lport and family are the local end; NULL: as asked for
 *
 * Bytes go from socket to socket from now on, and the stack hears no more:
 * @conn is gone.  Errors: EOPNOTSUPP: DMM_FEAT_PAIR is not in force.
 */
int dmm_conn_pair(struct dmm_conn *conn, const struct dmm_conn *listener,
		  const struct dmm_open *local);

/**
 * dmm_conn_incoming() - a connection for a listener is established
 * @queue:	to which it shall belong: the caller's
 * @listener:	of the same stack, on any queue; its owner must not close it
 *		during the call
 * @ends:	its local, remote, lport, rport and family are those of the
 *		connection
 * @priv:	the author's object
 *
 * Returns the connection, about which ops->accepted or ops->refused is called
 * later; until then it has no rings.  NULL: no memory.
 */
struct dmm_conn *dmm_conn_incoming(struct dmm_queue *queue, const struct dmm_conn *listener,
				   const struct dmm_open *ends, void *priv);

/* dmm_conn_eof() - the peer sends no more: nothing follows what is committed */
void dmm_conn_eof(struct dmm_conn *conn);

/* dmm_conn_closed() - the answer to ops->close: @conn is gone */
void dmm_conn_closed(struct dmm_conn *conn);

/**
 * dmm_conn_tx_peek() - bytes that the application has sent
 * @offset:	bytes to skip: those that are transmitted and not consumed yet
 * @iov:	out: where they are
 * @max:	elements of @iov; four take all that there can be
 *
 * Returns the number of elements.  0: there are no bytes behind @offset, and
 * ops->tx_data will be called when there are.  What @iov points to stays until
 * it is consumed.
 */
int dmm_conn_tx_peek(struct dmm_conn *conn, size_t offset, struct iovec *iov, int max);

/* dmm_conn_tx_pending() - bytes that are not consumed */
size_t dmm_conn_tx_pending(const struct dmm_conn *conn);

/**
 * dmm_conn_tx_consume() - the first @bytes of the ring are not needed any more
 *
 * That is, the peer has acknowledged them, or they were copied.  The application
 * can then send as many.
 */
void dmm_conn_tx_consume(struct dmm_conn *conn, size_t bytes);

/**
 * dmm_conn_rx_reserve() - room for bytes to the application
 * @want:	bytes that would be of use
 * @iov:	out: two elements: where the room is; unused ones have length 0.
 *		May be NULL
 *
 * Returns the bytes of room in @iov, which can be more than @want.  When less,
 * a larger ring is asked for and ops->rx_space is called when something has
 * changed.  Bytes written to the room can be anything until they are committed;
 * the room is valid until the next reserve.
 */
size_t dmm_conn_rx_reserve(struct dmm_conn *conn, size_t want, struct iovec iov[2]);

/* dmm_conn_rx_commit() - the first @bytes of the room are for the application */
void dmm_conn_rx_commit(struct dmm_conn *conn, size_t bytes);

/* dmm_conn_rx_pending() - bytes that are committed and the application has not taken */
size_t dmm_conn_rx_pending(const struct dmm_conn *conn);

/**
 * dmm_conn_rings() - where the rings are, to be registered with devices
 * @tx:		out: bytes that the application sends
 * @rx:		out: bytes that it receives; a reserve begins here
 *
 * Index 0 of each is at its first byte, and index i at i modulo its length, a
 * power of two.  For stacks without DMM_FEAT_GROW, whose rings stay until
 * dmm_conn_closed() or the error that is an answer.  Returns 0; -EOPNOTSUPP:
 * rings move; -ENOTCONN: there are none (yet).
 */
int dmm_conn_rings(const struct dmm_conn *conn, struct iovec *tx, struct iovec *rx);

/* dmm_conn_write() - copy bytes to the application; returns how many had room */
size_t dmm_conn_write(struct dmm_conn *conn, const void *bytes, size_t len);

/**
 * dmm_conn_tx_datagram() - the first datagram that the application has sent
 * @datagram:	out: length, far end and local address
 * @iov:	out: two elements with its bytes
 *
 * Returns 1, or 0: there is none, ops->tx_data will be called.
 */
int dmm_conn_tx_datagram(struct dmm_conn *conn, struct dmm_datagram *datagram,
			 struct iovec iov[2]);

/* dmm_conn_tx_datagram_done() - the first datagram is not needed any more */
void dmm_conn_tx_datagram_done(struct dmm_conn *conn);

/**
 * dmm_conn_rx_datagram() - give a datagram to the application
 * @datagram:	len, family, tos, port and addr of the far end, local
 * @iov:	its bytes; there must be @datagram->len
 * @nr:		elements of @iov
 *
 * Returns 0; -ENOBUFS: there is no room: drop it, or wait for ops->rx_space;
 * -EMSGSIZE: longer than DMM_DATAGRAM_MAX.
 */
int dmm_conn_rx_datagram(struct dmm_conn *conn, const struct dmm_datagram *datagram,
			 const struct iovec *iov, int nr);

/* dmm_address_is_any() - is it 0.0.0.0 (v4-mapped) or [::]? */
static inline bool dmm_address_is_any(const uint8_t addr[16])
{
	for (int i = 0; i < 16; i++)
		if (addr[i] && !(addr[i] == 0xff && (i == 10 || i == 11)))
			return false;
	return addr[10] == addr[11];
}

/* dmm_open_swap() - the same connection as the far end sees it */
static inline void dmm_open_swap(struct dmm_open *open)
{
	__be16 port = open->lport;

	for (int i = 0; i < 16; i++) {
		uint8_t byte = open->local[i];

		open->local[i] = open->remote[i];
		open->remote[i] = byte;
	}
	open->lport = open->rport;
	open->rport = port;
}

/*
 * Planned restarts: the predecessor offers its instance at a UNIX socket, the
 * successor fetches it.
 */

/**
 * dmm_stack_offer() - a UNIX socket at which a successor can ask
 * @path:	replaced if a socket is there; only the owner can connect
 *
 * Returns a descriptor that becomes readable when a successor is there, then
 * stop working on the queues and call dmm_stack_send().
 */
int dmm_stack_offer(const char *path);

/**
 * dmm_stack_send() - give the instance to the successor that waits at @offer
 *
 * Blocks until the successor has taken over or has gone, 10 seconds at most.
 * Returns 0: it has, close the stack and exit; else an error, and the caller is
 * still the owner.
 */
int dmm_stack_send(struct dmm_stack *stack, int offer);

/**
 * dmm_stack_receive() - ask the predecessor at @path for its instance
 * @channel:	out: for dmm_stack_received()
 *
 * Blocks for 10 seconds at most.  Returns the descriptor for
 * dmm_stack_takeover().
 */
int dmm_stack_receive(const char *path, int *channel);

/* dmm_stack_received() - tell the predecessor how it went (0: taken over), close @channel */
void dmm_stack_received(int channel, int error);

/**
 * struct dmm_device_ops - what is below the SDK: /dev/dmm, or a test's peer
 *
 * They return 0 or a negative errno as the ioctl of the name does; map() returns
 * NULL on errors; wake() makes an enter() return in which @thread waits, after its
 * timeout was set to zero; fd() may return -1.
 */
struct dmm_device_ops {
	int (*reg)(void *dev, struct dmm_register *reg);
	int (*enter)(void *dev, struct dmm_enter *enter);
	int (*address)(void *dev, const struct dmm_address *address);
	int (*takeover)(void *dev, struct dmm_takeover *takeover);
	void *(*map)(void *dev, uint64_t offset, size_t len, bool write);
	void (*unmap)(void *dev, void *addr, size_t len);
	void (*wake)(void *dev, pid_t thread);
	int (*fd)(void *dev);
	void (*close)(void *dev);
};

struct dmm_device {
	const struct dmm_device_ops *ops;
	void *dev;
};

#ifdef __cplusplus
}
#endif

#endif /* DMM_STACK_H */
