// SPDX-License-Identifier: GPL-2.0-only
/*
 * rdma-hostile FROM ADDRESS PORT [SEED [ROUNDS]]
 *
 * A peer of dmm-rdma that does what it must not, each thing on a connection of its own to a server
 * that answers HTTP at PORT.  Requests that make no sense must be rejected, and connections that do
 * not keep to the protocol must be ended by the other side; random ones may, or not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rdma/rdma_cma.h>

#include "../../stacks/rdma/wire.h"

#define PATIENCE	8000	/* milliseconds */
#define RING		65536
#define WRS		512

static struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
static uint64_t state;

/* A connection of ours. */
struct peer {
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	struct ibv_mr *mr;
	struct ibv_cq *cq;
	struct rd_message remote;
	bool ended;		/* by the other side */
	unsigned int posted;
};

static uint8_t ring[RING];

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The next event; -1: none in time. */
static int next_event(struct peer *p, int ms, struct rd_message *m)
{
	struct pollfd fd = { p->channel->fd, POLLIN, 0 };
	struct rdma_cm_event *e;
	int type;

	if (poll(&fd, 1, ms) != 1 || rdma_get_cm_event(p->channel, &e))
		return -1;
	type = e->event;
	if (m && rd_wire_parse(e->param.conn.private_data, e->param.conn.private_data_len, m))
		memset(m, 0, sizeof(*m));
	rdma_ack_cm_event(e);
	return type;
}

static void open_peer(struct peer *p)
{
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = WRS, .max_recv_wr = 16, .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};
	struct ibv_recv_wr wr = { 0 }, *bad;

	memset(p, 0, sizeof(*p));
	p->channel = rdma_create_event_channel();
	if (!p->channel || rdma_create_id(p->channel, &p->id, NULL, RDMA_PS_TCP))
		die("rdma_create_id");
	if (rdma_resolve_addr(p->id, (struct sockaddr *)&from, (struct sockaddr *)&to, 2000) ||
	    next_event(p, PATIENCE, NULL) != RDMA_CM_EVENT_ADDR_RESOLVED ||
	    rdma_resolve_route(p->id, 2000) ||
	    next_event(p, PATIENCE, NULL) != RDMA_CM_EVENT_ROUTE_RESOLVED)
		die("resolve");
	p->cq = ibv_create_cq(p->id->verbs, WRS + 16, NULL, NULL, 0);
	attr.send_cq = attr.recv_cq = p->cq;
	if (!p->cq || rdma_create_qp(p->id, NULL, &attr))
		die("rdma_create_qp");
	p->mr = ibv_reg_mr(p->id->pd, ring, RING, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	if (!p->mr)
		die("ibv_reg_mr");
	for (int i = 0; i < 16; i++)
		ibv_post_recv(p->id->qp, &wr, &bad);
}

static void close_peer(struct peer *p)
{
	rdma_destroy_qp(p->id);
	ibv_dereg_mr(p->mr);
	ibv_destroy_cq(p->cq);
	rdma_destroy_id(p->id);
	rdma_destroy_event_channel(p->channel);
}

static struct rd_message hello(const struct peer *p)
{
	return (struct rd_message){
		.type = RD_HELLO,
		.ticket = random64(),
		.addr = (uintptr_t)ring,
		.rkey = p->mr->rkey,
		.size = RING,
	};
}

/* A request with this private data: true if it was rejected, or what the answer says in p->remote. */
static bool request(struct peer *p, const void *data, size_t len)
{
	struct rdma_conn_param param = {
		.private_data = data, .private_data_len = len, .retry_count = 3, .rnr_retry_count = 7,
		.responder_resources = 1, .initiator_depth = 1,
	};
	int event;

	if (rdma_connect(p->id, &param))
		die("rdma_connect");
	event = next_event(p, PATIENCE, &p->remote);
	if (event != RDMA_CM_EVENT_ESTABLISHED && event != RDMA_CM_EVENT_REJECTED) {
		printf("a request was left without an answer: %d\n", event);
		exit(1);
	}
	return event == RDMA_CM_EVENT_REJECTED;
}

/* The server's backlog can be full of what was there before. */
static void join(struct peer *p)
{
	uint8_t data[RD_WIRE_MAX];
	struct rd_message m;

	for (int ms = 0; ms < PATIENCE; ms += 100) {
		open_peer(p);
		m = hello(p);
		if (!request(p, data, rd_wire_build(&m, data)))
			break;
		if (p->remote.reason != RD_BUSY)
			break;
		close_peer(p);
		usleep(100000);
	}
	if (p->remote.type != RD_HELLO) {
		printf("an honest request was rejected\n");
		exit(1);
	}
}

static void post(struct peer *p, enum ibv_wr_opcode opcode, uint64_t addr, uint32_t rkey, uint32_t len,
		 uint32_t imm)
{
	struct ibv_sge sge = { (uintptr_t)ring, len, p->mr->lkey };
	struct ibv_send_wr *bad, wr = {
		.opcode = opcode, .sg_list = &sge, .num_sge = len ? 1 : 0, .imm_data = imm,
		.send_flags = IBV_SEND_SOLICITED, .wr.rdma = { addr, rkey },
	};

	if (p->posted < WRS && !ibv_post_send(p->id->qp, &wr, &bad))
		p->posted++;
}

static void write_imm(struct peer *p, uint32_t len, enum rd_immediate type, uint32_t value)
{
	post(p, IBV_WR_RDMA_WRITE_WITH_IMM, p->remote.addr, p->remote.rkey, len,
	     rd_immediate_build(type, value));
}

/* Did the other side end it: a request that failed, or a disconnect? */
static bool wait_for_end(struct peer *p, int ms)
{
	struct ibv_wc wc;

	for (; ms > 0; ms -= 10) {
		while (ibv_poll_cq(p->cq, 1, &wc) == 1)
			if (wc.status != IBV_WC_SUCCESS)
				return true;
		if (next_event(p, 10, NULL) == RDMA_CM_EVENT_DISCONNECTED)
			return true;
	}
	return false;
}

/* What a peer must not do. */

static void oversize(struct peer *p)
{
	write_imm(p, 0, RD_IMM_DATA, RD_RING_MAX);
}

static void beyond_ring(struct peer *p)
{
	uint32_t part = p->remote.size < RING ? p->remote.size : RING;

	for (uint32_t sent = 0; sent <= p->remote.size * 4; sent += part)
		write_imm(p, part, RD_IMM_DATA, part);
}

static void more_than_written(struct peer *p)
{
	write_imm(p, 10, RD_IMM_DATA, 20);
}

static void less_than_written(struct peer *p)
{
	write_imm(p, 20, RD_IMM_DATA, 10);
}

static void credit(struct peer *p)
{
	write_imm(p, 0, RD_IMM_CREDIT, RING);
}

static void small_credit(struct peer *p)
{
	write_imm(p, 0, RD_IMM_CREDIT, 1);
}

static void unknown_type(struct peer *p)
{
	write_imm(p, 0, 5 + random64() % 3, 0);
}

static void after_fin(struct peer *p)
{
	write_imm(p, 0, RD_IMM_FIN, 0);
	write_imm(p, 8, RD_IMM_DATA, 8);
}

static void fin_twice(struct peer *p)
{
	write_imm(p, 0, RD_IMM_FIN, 0);
	write_imm(p, 0, RD_IMM_FIN, 0);
}

static void outside(struct peer *p)
{
	post(p, IBV_WR_RDMA_WRITE, p->remote.addr + p->remote.size, p->remote.rkey, 64, 0);
}

static void before(struct peer *p)
{
	post(p, IBV_WR_RDMA_WRITE, p->remote.addr - 4096, p->remote.rkey, 64, 0);
}

static void across_the_end(struct peer *p)
{
	post(p, IBV_WR_RDMA_WRITE, p->remote.addr + p->remote.size - 32, p->remote.rkey, 64, 0);
}

static void other_key(struct peer *p)
{
	post(p, IBV_WR_RDMA_WRITE, p->remote.addr, p->remote.rkey + 1 + random64() % 1000, 64, 0);
}

/* That of another connection, made just before: a region of its own domain. */
static void stolen_key(struct peer *p)
{
	struct peer other;

	join(&other);
	post(p, IBV_WR_RDMA_WRITE, other.remote.addr, other.remote.rkey, 64, 0);
	if (!wait_for_end(p, PATIENCE))
		printf("a stolen key was of use\n");
	else
		p->ended = true;
	close_peer(&other);
}

static void read_ring(struct peer *p)
{
	post(p, IBV_WR_RDMA_READ, p->remote.addr, p->remote.rkey, 64, 0);
}

static void plain_send(struct peer *p)
{
	post(p, IBV_WR_SEND_WITH_IMM, 0, 0, 0, rd_immediate_build(RD_IMM_PING, 0));
}

static void send_with_bytes(struct peer *p)
{
	post(p, IBV_WR_SEND, 0, 0, 64, 0);
}

static void pings(struct peer *p)
{
	struct ibv_wc wc;

	/* Those that are answered are taken, so that there is room for more. */
	for (int i = 0; i < 20000 && !p->ended; i++) {
		write_imm(p, 0, RD_IMM_PING, 0);
		while (ibv_poll_cq(p->cq, 1, &wc) == 1) {
			p->ended |= wc.status != IBV_WC_SUCCESS;
			p->posted -= wc.opcode == IBV_WC_RDMA_WRITE && p->posted;
			if (wc.opcode & IBV_WC_RECV)
				ibv_post_recv(p->id->qp, &(struct ibv_recv_wr){ 0 }, &(struct ibv_recv_wr *){ 0 });
		}
		p->ended |= next_event(p, 0, NULL) == RDMA_CM_EVENT_DISCONNECTED;
	}
}

/* The server answers, to where we have said. */
static void ask(struct peer *p)
{
	static const char text[] = "GET /data HTTP/1.0\r\n\r\n";

	memcpy(ring, text, sizeof(text) - 1);
	write_imm(p, sizeof(text) - 1, RD_IMM_DATA, sizeof(text) - 1);
}

static const struct {
	const char *name;
	void (*attack)(struct peer *p);
} attacks[] = {
	{ "DATA of more than any ring", oversize },
	{ "DATA beyond the ring", beyond_ring },
	{ "DATA of more than was written", more_than_written },
	{ "DATA of less than was written", less_than_written },
	{ "CREDIT beyond the ring", credit },
	{ "CREDIT of a byte", small_credit },
	{ "an unknown immediate", unknown_type },
	{ "DATA after FIN", after_fin },
	{ "FIN twice", fin_twice },
	{ "a write behind the ring", outside },
	{ "a write before the ring", before },
	{ "a write across its end", across_the_end },
	{ "a write with another key", other_key },
	{ "a write with the key of another connection", stolen_key },
	{ "a read", read_ring },
	{ "a SEND", plain_send },
	{ "a SEND with bytes", send_with_bytes },
	{ "PINGs without end", pings },
};

static bool attack(unsigned int i)
{
	struct peer p;
	bool ended;

	join(&p);
	attacks[i].attack(&p);
	ended = p.ended || wait_for_end(&p, PATIENCE);
	close_peer(&p);
	printf("%s: %s\n", attacks[i].name, ended ? "ended" : "NOT ENDED");
	return ended;
}

/* A ring that is not there: what the daemon writes is refused by this side's device. */
static bool wrong_ring(void)
{
	uint8_t data[RD_WIRE_MAX];
	struct rd_message m;
	struct peer p;
	bool ended;

	open_peer(&p);
	m = hello(&p);
	m.rkey ^= 0x5a00;
	if (request(&p, data, rd_wire_build(&m, data)))
		return false;
	ask(&p);
	ended = wait_for_end(&p, PATIENCE);
	close_peer(&p);
	printf("a ring that is not there: %s\n", ended ? "ended" : "NOT ENDED");
	return ended;
}

static bool garbage(unsigned int rounds)
{
	uint8_t data[56];
	struct peer p;
	bool ok = true;

	for (unsigned int i = 0; i < rounds; i++) {
		struct rd_message m;
		size_t len = random64() % (sizeof(data) + 1);

		for (size_t n = 0; n < sizeof(data); n++)
			data[n] = random64();
		open_peer(&p);
		if (i % 2) {
			m = hello(&p);
			len = rd_wire_build(&m, data);
			data[random64() % 8] ^= 1 + random64() % 255;
		}
		ok &= request(&p, data, len);
		close_peer(&p);
	}
	printf("%u requests that make no sense: %s\n", rounds, ok ? "rejected" : "NOT REJECTED");
	return ok;
}

/* Anything, then gone without a word. */
static void at_random(unsigned int rounds)
{
	struct peer p;

	for (unsigned int i = 0; i < rounds; i++) {
		join(&p);
		for (int n = random64() % 30; n >= 0; n--) {
			uint32_t len = random64() % 3 ? 0 : random64() % 5000;

			post(&p, random64() % 8 ? IBV_WR_RDMA_WRITE_WITH_IMM : random64() % 7,
			     p.remote.addr + random64() % p.remote.size, p.remote.rkey, len,
			     random64() % 2 ? random64() : rd_immediate_build(random64() % 5, len));
		}
		wait_for_end(&p, 20);
		close_peer(&p);
	}
	printf("%u connections at random\n", rounds);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 5 ? atoi(argv[5]) : 20;
	bool ok = true;

	if (argc < 4 || inet_pton(AF_INET, argv[1], &from.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons(atoi(argv[3]));
	state = (argc > 4 ? strtoull(argv[4], NULL, 0) : (uint64_t)time(NULL)) | 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed %llu\n", (unsigned long long)state);
	ok &= garbage(rounds);
	for (unsigned int i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		ok &= attack(i);
	ok &= wrong_ring();
	at_random(rounds);
	return !ok;
}
