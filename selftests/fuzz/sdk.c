// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer: the SDK on a kernel that makes no sense. Bytes of the input become down events and words of shared memory, and
 * an author's code that does all that it may. The SDK must neither leave its memory nor call what it says it does not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <dmm/stack.h>

#define ARENA	(16 * DMM_PAGE_SIZE)
#define EVENTS	64u
#define CONNS	8u
#define TOKENS	8u

/* The device, and what was last said by the stack. */
static struct {
	const uint8_t *data;
	size_t size;
	struct dmm_register reg;
	struct dmm_kernel_area *kernel;
	struct dmm_stack_area *area;
	uint32_t down_head, up_tail;
	uint64_t last;	/* connection of an event */
	uint64_t tokens[TOKENS];
	unsigned int nr_tokens;
	uint8_t *arena;
	struct dmm_conn *listener;
} f;

static uint8_t byte(void)
{
	if (!f.size)
		return 0;
	f.size--;
	return *f.data++;
}

static uint32_t word(void)
{
	uint32_t w = byte();

	/* Small numbers are the ones that lead somewhere. */
	return w < 200 ? w * 64 : w < 240 ? w : w << 24 | byte() << 16 | byte() << 8 | byte();
}

#define check(ok)	do { if (!(ok)) __builtin_trap(); } while (0)

/* The author. What a connection is allowed to hear of next. */
enum { ASKED = 1, INCOMING, OPEN, LISTENER, CLOSING };

static void set(struct dmm_conn *conn, intptr_t state)
{
	dmm_conn_set_priv(conn, (void *)state);
}

static intptr_t get(const struct dmm_conn *conn)
{
	return (intptr_t)dmm_conn_priv(conn);
}

static void touch(const struct iovec *iov, int nr, bool write)
{
	for (; nr > 0; nr--, iov++) {
		uint8_t *p = iov->iov_base;

		if (!iov->iov_len)
			continue;
		check(p >= f.arena && iov->iov_len <= ARENA && p + iov->iov_len <= f.arena + ARENA);
		if (write)
			p[0] = p[iov->iov_len - 1] = byte();
	}
}

static void move_stream(struct dmm_conn *conn)
{
	struct iovec iov[4];
	int nr = dmm_conn_tx_peek(conn, byte(), iov, 1 + byte() % 4);
	size_t room;

	touch(iov, nr, false);
	dmm_conn_tx_consume(conn, word());
	room = dmm_conn_rx_reserve(conn, word(), iov);
	check(room == iov[0].iov_len + iov[1].iov_len);
	touch(iov, 2, true);
	dmm_conn_rx_commit(conn, room / 2);
	dmm_conn_write(conn, "bytes", 5);
	dmm_conn_tx_pending(conn);
	dmm_conn_rx_pending(conn);
}

static void move_datagrams(struct dmm_conn *conn)
{
	static const uint8_t bytes[2000];
	struct dmm_datagram d;
	struct iovec iov[2];

	for (int i = 0; i < 4 && dmm_conn_tx_datagram(conn, &d, iov); i++) {
		check(iov[0].iov_len + iov[1].iov_len == d.len);
		touch(iov, 2, false);
		dmm_conn_tx_datagram_done(conn);
	}
	d = (struct dmm_datagram){ .len = byte() * 7 };
	dmm_conn_rx_datagram(conn, &d, &(struct iovec){ (void *)bytes, d.len }, 1);
}

static void act(struct dmm_conn *conn)
{
	uint8_t what = byte();

	check(get(conn) == OPEN);
	if (dmm_conn_type(conn) == SOCK_DGRAM)
		move_datagrams(conn);
	else
		move_stream(conn);
	if (what > 240)
		dmm_conn_eof(conn);
	else if (what > 220)
		dmm_conn_error(conn, -ECONNRESET);
	if (dmm_conn_metrics(conn))
		dmm_conn_metrics(conn)->rtt = what;
}

static void incoming(struct dmm_queue *q, const struct dmm_open *ends)
{
	if (f.listener)
		dmm_conn_incoming(q, f.listener, ends, (void *)INCOMING);
}

static void on_connect(struct dmm_conn *conn, const struct dmm_open *open)
{
	/* A datagram socket may get another far end, when it has one. */
	check(!get(conn) || (open->type == SOCK_DGRAM && get(conn) == OPEN));
	set(conn, OPEN);
	switch (byte() % 4) {
	case 0:
		dmm_conn_error(conn, -ECONNREFUSED);
		break;
	case 1:
		if (f.listener && !dmm_conn_pair(conn, f.listener, NULL))
			break;
		/* fall through */
	default:
		incoming(dmm_conn_queue(conn), open);
		dmm_conn_connected(conn, open);
	}
}

static void on_listen(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	(void)open;
	(void)backlog;
	check(!get(conn) || get(conn) == LISTENER);
	set(conn, LISTENER);
	f.listener = conn;
	dmm_conn_listening(conn);
}

static void on_bind(struct dmm_conn *conn, const struct dmm_open *open)
{
	check(!get(conn));
	set(conn, OPEN);
	dmm_conn_connected(conn, open);
}

static void on_accepted(struct dmm_conn *conn)
{
	check(get(conn) == INCOMING);
	set(conn, OPEN);
	act(conn);
}

static void on_refused(struct dmm_conn *conn, int error)
{
	(void)error;
	check(get(conn) == INCOMING);
}

static void on_close(struct dmm_conn *conn, bool reset)
{
	(void)reset;
	check(get(conn) == OPEN || get(conn) == LISTENER);
	if (f.listener == conn)
		f.listener = NULL;
	set(conn, CLOSING);
	dmm_conn_closed(conn);
}

static void on_option(struct dmm_conn *conn)
{
	check(get(conn) == OPEN || get(conn) == LISTENER);
	check(dmm_conn_options(conn));
}

static void on_resume(struct dmm_conn *conn, const struct dmm_open *open, int backlog)
{
	(void)backlog;
	check(!get(conn));
	set(conn, open->type == SOCK_STREAM && !open->rport ? LISTENER : OPEN);
}

static const struct dmm_stack_ops ops = {
	.connect = on_connect, .listen = on_listen, .bind = on_bind, .accepted = on_accepted, .refused = on_refused,
	.tx_data = act, .rx_space = act, .shutdown = act, .close = on_close, .option = on_option, .resume = on_resume,
};

/* The device. */

static int dev_reg(void *dev, struct dmm_register *reg)
{
	size_t events = EVENTS * sizeof(struct dmm_event);

	(void)dev;
	reg->nr_conns = CONNS;
	reg->kernel_len = sizeof(struct dmm_kernel_area) + events;
	reg->stack_len = sizeof(struct dmm_stack_area) + events;
	f.reg = *reg;
	f.arena = (uint8_t *)(uintptr_t)reg->arena_addr;
	f.kernel = calloc(1, reg->kernel_len);
	f.area = calloc(1, reg->stack_len);
	return f.kernel && f.area ? 0 : -ENOMEM;
}

static int dev_enter(void *dev, struct dmm_enter *enter)
{
	(void)dev;
	(void)enter;
	f.up_tail = f.area->up_head;
	f.kernel->up_tail = f.up_tail;
	return 0;
}

static void *dev_map(void *dev, uint64_t offset, size_t len, bool write)
{
	(void)dev;
	(void)offset;
	(void)len;
	return write ? (void *)f.area : f.kernel;
}

static void dev_unmap(void *dev, void *addr, size_t len)
{
	(void)dev;
	(void)len;
	free(addr);
}

static void dev_close(void *dev)
{
	(void)dev;
}

static const struct dmm_device_ops device_ops = {
	.reg = dev_reg, .enter = dev_enter, .map = dev_map, .unmap = dev_unmap, .close = dev_close,
};

/* The kernel. */

/* Tokens of what the stack has announced, so that answers can be right. */
static void note_tokens(void)
{
	for (uint32_t i = f.up_tail; i != f.area->up_head && i - f.up_tail < EVENTS; i++) {
		const struct dmm_event *e = &f.area->up[i % EVENTS];

		if (e->type == DMM_EV_INCOMING)
			f.tokens[f.nr_tokens++ % TOKENS] = e->open.token;
	}
}

static void publish(const struct dmm_event *e)
{
	f.kernel->down[f.down_head++ % EVENTS] = *e;
	__atomic_store_n(&f.kernel->down_head, f.down_head, __ATOMIC_RELEASE);
}

/* Often of the same connection as before, or of one that had its index. */
static void down(uint16_t type)
{
	uint8_t who = byte();
	struct dmm_event e = { .type = type, .value = (int8_t)byte(), .flags = byte() & 3 };

	if (who & 0x80)
		f.last = (uint64_t)(1 + (who >> 5 & 3)) << 32 | who % 16;
	e.conn = f.last;
	if (type == DMM_EV_ACCEPT || type == DMM_EV_REFUSE) {
		e.answer.token = f.tokens[(uint8_t)e.value % TOKENS];
		e.answer.page = byte() % 20;
	} else {
		e.open.type = who & 1 ? SOCK_DGRAM : SOCK_STREAM;
		e.open.family = AF_INET;
		e.open.rport = type == DMM_EV_LISTEN ? 0 : byte();
		e.open.page = byte() % 20;
	}
	publish(&e);
}

/* A ring with a piece in the arena, its indices anywhere. */
static void make_ring(struct dmm_ring *ring)
{
	uint32_t index = word();

	*ring = (struct dmm_ring){ .head = index + word(), .tail = index, .start = index + word(), .epoch = byte() % 3 };
	for (int i = 0; i < 2; i++)
		ring->piece[i] = (struct dmm_piece){ .offset = byte() * 512, .size = 64u << byte() % 12 };
}

/* A connection with rings, as an honest kernel makes it but for their words. */
static void make_conn(uint8_t what)
{
	struct dmm_page *page = (struct dmm_page *)(f.arena + what % 16 * DMM_PAGE_SIZE);
	struct dmm_event e = { .type = what & 0x20 ? DMM_EV_BIND : DMM_EV_CONNECT };

	make_ring(&page->tx);
	make_ring(&page->rx);
	f.last = e.conn = (uint64_t)(what + 1) << 32 | what % CONNS;
	e.open = (struct dmm_open){ .type = what & 0x20 ? SOCK_DGRAM : SOCK_STREAM, .rport = 1, .page = what % 16 };
	publish(&e);
}

static void step(struct dmm_queue *q)
{
	uint8_t op = byte();
	struct dmm_page *page = (struct dmm_page *)(f.arena + op % 16 * DMM_PAGE_SIZE);

	switch (op >> 4) {
	default:
		down(op & 15);
		break;
	case 7:
	case 8:
		make_conn(byte());
		note_tokens();
		dmm_stack_poll(q, 0);
		break;
	case 9:
		make_ring(op & 8 ? &page->tx : &page->rx);
		break;
	case 10:
	case 11:
		((uint32_t *)page)[byte() % (2 * sizeof(struct dmm_ring) / 4)] = word();
		break;
	case 12:
		f.down_head += byte();
		f.kernel->down_head = f.down_head;
		break;
	case 13:
		f.kernel->up_tail = word();
		break;
	case 14:
		f.kernel->held_back = byte();
		break;
	case 15:
		note_tokens();
		dmm_stack_poll(q, 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dmm_device device = { &device_ops, NULL };
	struct dmm_stack_config config = { .name = "f", .device = &device, .ops = &ops, .arena = ARENA, .events = EVENTS };
	struct dmm_stack *stack;

	memset(&f, 0, sizeof(f));
	f.data = data;
	f.size = size;
	if (dmm_stack_open(&stack, &config))
		abort();
	while (f.size)
		step(dmm_stack_queue(stack, 0));
	dmm_stack_poll(dmm_stack_queue(stack, 0), 0);
	dmm_stack_close(stack);
	return 0;
}
