/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * /dev/dmm: how a transport stack in user space serves DMM sockets.
 *
 * An open file that has registered is one instance of a stack.  It has
 *
 *	queues		each two rings of events: "down" from the kernel to the
 *			stack, "up" from the stack to the kernel.  A connection
 *			belongs to one queue, a queue to one thread.
 *	an arena	memory of the stack's own, pinned by the kernel, in
 *			which each connection has a page, and rings of bytes
 *			that move to larger pieces as they fill.
 *
 * Events say what happened; bytes never pass through them.  The last close of
 * the file ends the instance: connections are reset, listeners go on with the
 * other stacks.
 *
 * Shared words.  All indices are free-running 32 bit counters, of events or of
 * bytes; what they count modulo the size of their ring is the place.  Whoever
 * produces writes the place, then "head" with release semantics; whoever
 * consumes reads "head" with acquire semantics, takes what is there, then
 * writes "tail" with release semantics.  A side that is about to stop looking
 * sets its flag, makes a full barrier and looks once more; the other side moves
 * its index, makes a full barrier and looks at the flag.  So one of them sees
 * the other.
 *
 * The kernel reads each shared word once and checks it.  A connection whose
 * words make no sense is reset; an instance whose event rings make no sense is
 * dead: all calls on it return EIO.
 *
 * Byte order is the machine's, but for ports and addresses, which are in
 * network byte order.  Everything reserved is zero.
 *
 * Changes:
 *	1: first version.
 */
#ifndef _UAPI_LINUX_DMM_DEV_H
#define _UAPI_LINUX_DMM_DEV_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/dmm_netlink.h>

#define DMM_DEV_PATH		"/dev/dmm"

/* Pieces of the arena are multiples of this, whatever the machine's pages are. */
#define DMM_PAGE_SIZE		4096u

/* Limits. */
#define DMM_QUEUES_MAX		64u
#define DMM_EVENTS_MIN		64u
#define DMM_EVENTS_MAX		65536u
#define DMM_CONNS_MAX		1048576u
#define DMM_ARENA_MAX		(64ull << 30)
/* Bytes in a ring; in between, powers of two. */
#define DMM_RING_MAX		(64u << 20)

/* What a stack can do: struct dmm_register::caps. */
#define DMM_CAP_STREAM		(1u << 0)	/* SOCK_STREAM */
#define DMM_CAP_DGRAM		(1u << 1)	/* SOCK_DGRAM */
#define DMM_CAP_INET		(1u << 2)	/* IPv4 */
#define DMM_CAP_INET6		(1u << 3)	/* IPv6 */
#define DMM_CAP_LISTEN		(1u << 4)	/* SOCK_STREAM servers */
#define DMM_CAPS_ALL		((1u << 5) - 1)

/* What both sides must know to use it: struct dmm_register::features. */
#define DMM_FEAT_PAIR		(1ull << 0)	/* DMM_EV_PAIR */
#define DMM_FEAT_GROW		(1ull << 1)	/* rings that move as they grow */
#define DMM_FEATS_ALL		((1ull << 2) - 1)

/**
 * struct dmm_register - become an instance of a stack (DMM_IOC_REGISTER)
 * @size:	in: sizeof(struct dmm_register) as the caller knows it
 * @flags:	zero
 * @features:	in: DMM_FEAT_* that the caller can use; out: those of them that
 *		are in force, or, if the call failed with EOPNOTSUPP, all that
 *		the kernel has
 * @required:	in: those without which the caller does not want to go on
 * @name:	name of the stack, as in rules
 * @instance:	name of the instance, unique among those of the stack in the
 *		namespace; "" lets the kernel choose a number, out: the name
 * @caps:	DMM_CAP_*
 * @weight:	share of new connections beside other instances of the stack,
 *		1 to 1000; 0 means 100
 * @nr_queues:	1 to DMM_QUEUES_MAX
 * @nr_events:	events in each ring, a power of two from DMM_EVENTS_MIN to
 *		DMM_EVENTS_MAX
 * @nr_conns:	connections and listeners that the instance can have at a time,
 *		up to DMM_CONNS_MAX; 0 means as many as the arena has room for
 * @arena_fd:	regular file that is mapped at @arena_addr from its beginning
 *		(memfd); the kernel keeps it for a successor
 *		(DMM_IOC_TAKEOVER).  -1: none
 * @arena_addr:	address of the arena in the caller, aligned to its page size
 * @arena_len:	its bytes, a multiple of the page size; counts against
 *		RLIMIT_MEMLOCK unless the caller has CAP_IPC_LOCK
 * @sndbuf:	bytes that a tx ring grows to by default, a power of two from
 *		DMM_PAGE_SIZE to DMM_RING_MAX; 0 means 256 KiB.  Without
 *		DMM_FEAT_GROW rings have this size from the start; those of
 *		streams less, down to 16 KiB, when it is more than a 256th of
 *		what is free in the arena
 * @rcvbuf:	likewise of rx rings
 * @kernel_off:	out: offset for mmap() of the first queue's struct
 *		dmm_kernel_area, PROT_READ only
 * @stack_off:	out: that of its struct dmm_stack_area
 * @kernel_len:	out: bytes of a struct dmm_kernel_area with its events,
 *		rounded up to pages
 * @stack_len:	out: likewise of a struct dmm_stack_area
 * @queue_step:	out: from the offsets of one queue to those of the next
 *
 * The instance serves the network namespace of the caller, and those that an
 * administrator shares it with.  Needs CAP_NET_ADMIN in the user namespace that
 * owns the network namespace.
 *
 * Errors: EINVAL: a field is out of range; EPERM; EEXIST: an instance of this
 * name is there; EBUSY: the file has registered already; EOPNOTSUPP: @required;
 * ENOMEM: the arena cannot be locked (RLIMIT_MEMLOCK) or there is no memory;
 * EBADF: @arena_fd is not open; EFAULT: no writable memory there, or the struct
 * is not readable and writable; E2BIG: @size is beyond what the kernel knows, and
 * there is more than zeros, or more than a page.  What fails leaves no trace.
 */
struct dmm_register {
	__u32 size;
	__u32 flags;
	__aligned_u64 features;
	__aligned_u64 required;
	char name[DMM_NAME_MAX];
	char instance[DMM_NAME_MAX];
	__u32 caps;
	__u32 weight;
	__u32 nr_queues;
	__u32 nr_events;
	__u32 nr_conns;
	__s32 arena_fd;
	__aligned_u64 arena_addr;
	__aligned_u64 arena_len;
	__u32 sndbuf;
	__u32 rcvbuf;
	__aligned_u64 kernel_off;
	__aligned_u64 stack_off;
	__u32 kernel_len;
	__u32 stack_len;
	__u32 queue_step;
	__u32 reserved;
};

/**
 * struct dmm_enter - work on a queue (DMM_IOC_ENTER)
 * @queue:	number of the queue
 * @flags:	DMM_ENTER_*
 * @timeout:	nanoseconds to wait at most with DMM_ENTER_WAIT; negative: no
 *		limit
 *
 * Takes the up events that are there, brings down events that had to wait for
 * room, and then, if asked to, waits until there are down events.  Never waits
 * for an application.  One thread at a time per queue; others wait, or get
 * EAGAIN when the file is O_NONBLOCK.
 *
 * Returns 0, also when the time is over.  Errors: EINVAL, EINTR, ENXIO: not
 * registered; EIO: the instance is dead, for its rings made no sense.
 *
 * poll(2) on the file reports POLLIN while any queue has down events, and
 * POLLERR when the instance is dead.
 */
struct dmm_enter {
	__u32 queue;
	__u32 flags;
	__s64 timeout;
};

#define DMM_ENTER_WAIT		(1u << 0)

/**
 * struct dmm_address - a local address prefix of the stack (DMM_IOC_ADDRESS)
 * @flags:	DMM_ADDRESS_DEL to take it away
 * @family:	AF_INET or AF_INET6
 * @len:	bits of @addr that count
 * @pad:	zero
 * @addr:	network byte order, the first 4 bytes for AF_INET
 *
 * A stack with addresses serves sockets that are bound to one of them, or to
 * none; without, any.  bind() to such an address is allowed, as if it were the
 * kernel's, to sockets that a rule may send here.  Errors: EINVAL, EEXIST,
 * ENOENT, ENXIO, ENOSPC: more than DMM_ADDRESSES_MAX.
 */
struct dmm_address {
	__u32 flags;
	__u8 family;
	__u8 len;
	__u16 pad;
	__u8 addr[16];
};

#define DMM_ADDRESS_DEL		(1u << 0)
#define DMM_ADDRESSES_MAX	64u

/**
 * struct dmm_takeover - what a successor needs (DMM_IOC_TAKEOVER)
 * @reg:	out: as it was registered, with @reg.arena_addr zero and
 *		@reg.arena_fd a new descriptor of the arena's file, or -1
 * @generation:	out: counts the owners of the instance
 *
 * For a planned restart.  The predecessor stops working on its queues and
 * passes the file on, by fork or SCM_RIGHTS.  The successor calls this, maps
 * queues and arena, and hears of each listener, then of each socket and
 * connection once more: CONNECT, LISTEN and BIND for those that are not answered
 * yet, RESUME for the others.  All else that a queue brings follows, what
 * applications do meanwhile too.  Down events that nobody took before are
 * dropped, for these tell all: a successor looks at the rings of each connection;
 * SHUTDOWN and CLOSE are told again.  Paired connections do not concern it.
 * Enters of those who have opened the file before fail with ESTALE from now on.
 *
 * Errors: ENXIO, EIO.
 */
struct dmm_takeover {
	struct dmm_register reg;
	__u32 generation;
	__u32 reserved;
};

#define DMM_IOC_REGISTER	_IOWR('D', 0x40, struct dmm_register)
#define DMM_IOC_ENTER		_IOW('D', 0x41, struct dmm_enter)
#define DMM_IOC_ADDRESS		_IOW('D', 0x42, struct dmm_address)
#define DMM_IOC_TAKEOVER	_IOR('D', 0x43, struct dmm_takeover)

/*
 * A byte ring, in the connection's page.  The first piece of memory that it
 * lives in is piece[0], with index 0 at its first byte.  When the producer
 * moves on to another piece, it writes the index from which on it does to
 * "start", then adds one to "epoch", both before it publishes a head behind
 * "start": whoever sees such a head sees these.  Pieces take turns: epoch
 * modulo 2 says which is in use.  The consumer takes what is before "start" from
 * the old piece, and the rest from the new one.  The byte of index i is at
 * offset i modulo size of its piece, sizes being powers of two.
 *
 * The kernel allocates pieces: it moves a tx ring by itself, and puts a larger
 * piece for an rx ring into the free place and says RX_SPACE; the stack then
 * moves when it next produces.  The kernel takes the old piece of a tx ring back
 * when the tail is beyond "start", or when nothing was produced behind it, and
 * that of an rx ring when it has read all that is in it; until then there is no
 * further one.  "size" is written last (release), and read first (acquire).
 *
 * A stack that transmits straight from the ring moves the tail when the peer
 * has acknowledged: it is the send buffer.
 */

/**
 * struct dmm_piece - memory that a ring lives in, written by the kernel
 * @offset:	in the arena
 * @size:	bytes, a power of two; 0: there is none
 * @reserved:	zero
 */
struct dmm_piece {
	__aligned_u64 offset;
	__u32 size;
	__u32 reserved;
};

/**
 * struct dmm_ring - the shared words of a byte ring
 * @head:	the producer's: index behind the last byte produced
 * @wants_space: the producer's: not zero: tell me when there is room.  The
 *		consumer's next move of the tail is told once
 * @epoch:	the producer's: how often the ring has moved
 * @start:	the producer's: index from which on the newest piece counts
 * @tail:	the consumer's: index of the first byte not yet taken
 * @wants_data:	the consumer's: not zero: tell me when there is data.  The
 *		producer's next move of the head is told once
 * @piece:	where it lives, by epoch modulo 2
 *
 * "Told once": whoever tells need not tell again until the other side has
 * taken the event and, later, set the flag anew.  Each flag is written by its
 * owner only.
 */
struct dmm_ring {
	__u32 head;
	__u32 wants_space;
	__u32 epoch;
	__u32 start;
	__u32 reserved1[12];
	__u32 tail;
	__u32 wants_data;
	__u32 reserved2[14];
	struct dmm_piece piece[2];
	__u32 reserved3[8];
};

/**
 * struct dmm_options - socket options of a connection, written by the kernel
 * @flags:	DMM_OPTF_*
 * @mark:	SO_MARK
 * @priority:	SO_PRIORITY
 * @keepidle:	TCP_KEEPIDLE, seconds
 * @keepintvl:	TCP_KEEPINTVL, seconds
 * @keepcnt:	TCP_KEEPCNT
 * @user_timeout: TCP_USER_TIMEOUT, milliseconds, 0: the stack's own
 * @maxseg:	TCP_MAXSEG, 0: the stack's own
 * @tos:	IP_TOS, or IPV6_TCLASS
 * @ttl:	IP_TTL, or IPV6_UNICAST_HOPS; 0: the stack's own
 * @reserved:	zero
 * @cc:		TCP_CONGESTION if the application or a rule set it, or ""
 *
 * DMM_EV_OPTION says that they changed.  A stack does what it can of them.
 */
struct dmm_options {
	__u32 flags;
	__u32 mark;
	__u32 priority;
	__u32 keepidle;
	__u32 keepintvl;
	__u32 keepcnt;
	__u32 user_timeout;
	__u32 maxseg;
	__u8 tos;
	__u8 ttl;
	__u8 reserved[14];
	char cc[16];
};

#define DMM_OPTF_NODELAY	(1u << 0)	/* TCP_NODELAY */
#define DMM_OPTF_CORK		(1u << 1)	/* TCP_CORK; MSG_MORE was last */
#define DMM_OPTF_KEEPALIVE	(1u << 2)	/* SO_KEEPALIVE */
#define DMM_OPTF_QUICKACK	(1u << 3)	/* TCP_QUICKACK */
#define DMM_OPTF_DONTROUTE	(1u << 4)	/* SO_DONTROUTE */
#define DMM_OPTF_BROADCAST	(1u << 5)	/* SO_BROADCAST */

/**
 * struct dmm_metrics - what the stack knows of a connection, written by it
 * @state:	TCP_ESTABLISHED ... as in <linux/tcp.h>'s TCP_INFO; 0: not known
 * @snd_mss:	bytes
 * @rcv_mss:	bytes
 * @pmtu:	bytes
 * @rtt:	smoothed round trip, microseconds
 * @rttvar:	its deviation, microseconds
 * @min_rtt:	microseconds
 * @rto:	microseconds
 * @snd_cwnd:	segments
 * @snd_ssthresh: segments
 * @unacked:	segments
 * @retrans:	segments retransmitted and not yet acknowledged
 * @total_retrans: segments
 * @snd_wnd:	bytes that the peer lets us send
 * @rcv_wnd:	bytes that we let the peer send
 * @reserved:	zero
 * @bytes_acked: acknowledged by the peer
 * @bytes_received: acknowledged to the peer
 * @bytes_retrans: bytes
 * @delivery_rate: bytes per second
 * @segs_out:	segments
 * @segs_in:	segments
 *
 * What a stack does not know it leaves zero.  TCP_INFO and monitoring show
 * them as they are.
 */
struct dmm_metrics {
	__u32 state;
	__u32 snd_mss;
	__u32 rcv_mss;
	__u32 pmtu;
	__u32 rtt;
	__u32 rttvar;
	__u32 min_rtt;
	__u32 rto;
	__u32 snd_cwnd;
	__u32 snd_ssthresh;
	__u32 unacked;
	__u32 retrans;
	__u32 total_retrans;
	__u32 snd_wnd;
	__u32 rcv_wnd;
	__u32 reserved;
	__aligned_u64 bytes_acked;
	__aligned_u64 bytes_received;
	__aligned_u64 bytes_retrans;
	__aligned_u64 delivery_rate;
	__aligned_u64 segs_out;
	__aligned_u64 segs_in;
};

/**
 * struct dmm_page - a connection's page in the arena
 * @tx:		from the application to the stack: the kernel produces
 * @rx:		from the stack to the application: the stack produces
 * @options:	socket options
 * @metrics:	state and counters
 * @reserved:	zero
 * @tx_bytes:	where a tx ring that can grow starts
 * @rx_bytes:	where an rx ring that can grow starts
 *
 * All that the kernel and the stack share of one connection but its larger
 * pieces, so that one page is what an idle connection costs.
 */
struct dmm_page {
	struct dmm_ring tx;
	struct dmm_ring rx;
	struct dmm_options options;
	struct dmm_metrics metrics;
	__u8 reserved[464];
	__u8 tx_bytes[1024];
	__u8 rx_bytes[2048];
};

/**
 * struct dmm_datagram - what is before each datagram in the rings of SOCK_DGRAM
 * @len:	bytes of the datagram, which follows
 * @family:	AF_INET or AF_INET6, of @addr
 * @tos:	IP_TOS or IPV6_TCLASS
 * @port:	of the far end, network byte order
 * @addr:	of the far end, IPv4 in its v4-mapped form
 * @local:	address that the datagram came to, or shall leave from; all
 *		zero: the socket's own
 * @ttl:	IP_TTL or IPV6_UNICAST_HOPS; 0: not known, or the stack's own
 * @reserved:	zero
 *
 * Datagrams start at multiples of DMM_DATAGRAM_ALIGN, so that this is in one
 * piece, and are produced and taken whole.
 */
struct dmm_datagram {
	__u32 len;
	__u8 family;
	__u8 tos;
	__be16 port;
	__u8 addr[16];
	__u8 local[16];
	__u8 ttl;
	__u8 reserved[23];
};

#define DMM_DATAGRAM_ALIGN	64u
#define DMM_DATAGRAM_MAX	65507u

/**
 * struct dmm_open - a new connection, in an event
 * @local:	local address, IPv4 in its v4-mapped form; all zero, or the
 *		v4-mapped 0.0.0.0: any
 * @remote:	remote address; all zero for LISTEN and BIND
 * @lport:	local port, network byte order; zero: the stack chooses
 * @rport:	remote port
 * @family:	AF_INET or AF_INET6, of the addresses
 * @type:	SOCK_STREAM or SOCK_DGRAM
 * @reserved:	zero
 * @netns:	number of the namespace among those that the instance serves; 0
 *		is its own
 * @page:	number of the connection's struct dmm_page, never 0:
 *		DMM_PAGE_SIZE times this is its offset in the arena
 * @token:	of INCOMING: the stack's own name for the connection; of PAIR:
 *		the listener
 */
struct dmm_open {
	__u8 local[16];
	__u8 remote[16];
	__be16 lport;
	__be16 rport;
	__u8 family;
	__u8 type;
	__u16 reserved;
	union {
		struct {
			__u32 netns;
			__u32 page;
		};
		__aligned_u64 token;
	};
};

/**
 * struct dmm_answer - the kernel's answer to INCOMING, in an event
 * @token:	of the INCOMING
 * @listener:	the listener that it named
 * @page:	number of the connection's struct dmm_page; 0 for REFUSE
 * @reserved:	zero
 */
struct dmm_answer {
	__aligned_u64 token;
	__aligned_u64 listener;
	__u32 page;
	__u32 reserved;
};

/**
 * struct dmm_event - an entry of an event ring
 * @type:	DMM_EV_*
 * @flags:	DMM_EVF_*
 * @value:	depends on the type
 * @conn:	the connection or listener, as the event that made it called it.
 *		The lower 32 bits are below struct dmm_register::nr_conns and,
 *		as long as it is there, nobody else's: an index for tables.  The
 *		upper ones tell those apart that had the same index; never 0
 * @open:	of CONNECT, LISTEN, BIND, RESUME; CONNECTED, INCOMING, PAIR
 * @answer:	of ACCEPT, REFUSE
 * @bytes:	all of the above; zero where unused
 */
struct dmm_event {
	__u16 type;
	__u16 flags;
	__s32 value;
	__aligned_u64 conn;
	union {
		struct dmm_open open;
		struct dmm_answer answer;
		__u8 bytes[48];
	};
};

/*
 * Down events: from the kernel to the stack.
 *
 * CONNECT	Connect to open.remote.  Answer CONNECTED or ERROR.
 * LISTEN	Listen at open.local; value is the backlog.  Answer LISTENING or
 *		ERROR, for which the application's listen() waits at most a
 *		quarter of a second.  Once more for the same listener: the
 *		backlog changed.
 * BIND		A datagram socket at open.local.  Answer CONNECTED, with the
 *		local address, or ERROR.
 * ACCEPT	An INCOMING connection has become conn.
 * REFUSE	An INCOMING connection is not wanted: reset it.  value is a
 *		negative errno: -ECONNREFUSED: nobody listens any more; -EAGAIN:
 *		the backlog is full; -ENOMEM; conn is zero.
 * RESUME	After DMM_IOC_TAKEOVER: the connection, listener (value is the
 *		backlog) or datagram socket conn, which open describes.
 * TX_DATA	The tx ring has data, after the stack asked (wants_data).
 * RX_SPACE	The rx ring has room, or may move, after the stack asked
 *		(wants_space, RX_FULL).
 * SHUTDOWN	The application sends no more: when the tx ring is empty, say so
 *		to the peer (FIN).
 * CLOSE	The application is gone.  Deliver what is in the tx ring, then
 *		end the connection; with DMM_EVF_RESET reset it at once.  Of a
 *		listener: stop.  Answer CLOSED.  No event of this conn follows.
 * OPTION	The options in the page changed.
 */
#define DMM_EV_CONNECT		1
#define DMM_EV_LISTEN		2
#define DMM_EV_BIND		3
#define DMM_EV_ACCEPT		4
#define DMM_EV_REFUSE		5
#define DMM_EV_RESUME		6
#define DMM_EV_TX_DATA		7
#define DMM_EV_RX_SPACE		8
#define DMM_EV_SHUTDOWN		9
#define DMM_EV_CLOSE		10
#define DMM_EV_OPTION		11

/*
 * Up events: from the stack to the kernel.  One that names a connection that
 * is not there any more, or of another queue, or does not fit its state, is
 * dropped and counted.  Listeners that INCOMING and PAIR name may be of any queue,
 * and need not be answered by LISTENING yet.
 *
 * CONNECTED	CONNECT or BIND has succeeded; open.local, open.lport and
 *		open.family are the local end.
 * LISTENING	LISTEN has succeeded.
 * INCOMING	A connection for the listener conn is established; open has its
 *		ends and open.token the stack's name for it.  Answer ACCEPT or
 *		REFUSE.
 * PAIR		Join conn, which waits for the answer to its CONNECT, to the
 *		listener open.token of the same instance: bytes go from one
 *		socket to the other within the kernel.  open.local, open.lport
 *		and open.family are the local end that conn gets, and so the
 *		remote one of the other.  While the backlog is full conn waits,
 *		as with TCP; when nobody listens there any more it is refused.
 *		The stack forgets conn.  Needs DMM_FEAT_PAIR.
 * RX_DATA	The rx ring has data, after the kernel asked (wants_data).
 * RX_FULL	The rx ring has no room for what is there: a larger piece is
 *		wanted, of at least value bytes if that is not 0.  RX_SPACE
 *		follows, sooner or later.
 * TX_SPACE	The tx ring has room, after the kernel asked (wants_space).
 * EOF		The peer sends no more: nothing comes behind the rx ring's head.
 * ERROR	value is a negative errno, one that applications know (up to
 *		EHWPOISON).  As the answer to CONNECT, LISTEN or
 *		BIND: it failed, and conn is forgotten by both.  Later: the
 *		connection is broken (-ECONNRESET, -ETIMEDOUT ...); CLOSE
 *		follows when the application has closed its socket.  A datagram
 *		socket has the error once (-ECONNREFUSED ...), and goes on.
 * CLOSED	The answer to CLOSE: the stack has forgotten conn; page and
 *		pieces are the kernel's again.  An ERROR or PAIR that crosses a
 *		CLOSE says the same.
 */
#define DMM_EV_CONNECTED	33
#define DMM_EV_LISTENING	34
#define DMM_EV_INCOMING		35
#define DMM_EV_PAIR		36
#define DMM_EV_RX_DATA		37
#define DMM_EV_RX_FULL		38
#define DMM_EV_TX_SPACE		39
#define DMM_EV_EOF		40
#define DMM_EV_ERROR		41
#define DMM_EV_CLOSED		42

#define DMM_EVF_RESET		(1u << 0)	/* CLOSE */
#define DMM_EVF_DUAL		(1u << 1)	/* LISTEN, BIND at [::]: IPv4 as well */

/**
 * struct dmm_kernel_area - a queue's memory that the kernel writes
 * @down_head:	index behind the last down event
 * @up_tail:	index of the first up event that the kernel has not taken
 * @held_back:	not zero: down events wait for room in the ring; DMM_IOC_ENTER
 *		brings them
 * @down:	ring of struct dmm_register::nr_events events
 */
struct dmm_kernel_area {
	__u32 down_head;
	__u32 reserved1[15];
	__u32 up_tail;
	__u32 reserved2[15];
	__u32 held_back;
	__u32 reserved3[31];
	struct dmm_event down[];
};

/**
 * struct dmm_stack_area - a queue's memory that the stack writes
 * @up_head:	index behind the last up event
 * @down_tail:	index of the first down event that the stack has not taken;
 *		moved before the events are acted upon, so that what happens
 *		after is told again
 * @polls:	not zero: the stack looks at the ring without being woken, so do
 *		not
 * @up:		ring of events
 */
struct dmm_stack_area {
	__u32 up_head;
	__u32 reserved1[15];
	__u32 down_tail;
	__u32 reserved2[15];
	__u32 polls;
	__u32 reserved3[31];
	struct dmm_event up[];
};

#endif /* _UAPI_LINUX_DMM_DEV_H */
