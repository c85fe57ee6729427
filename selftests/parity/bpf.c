// SPDX-License-Identifier: GPL-2.0-only
/* Groups of sockets that share a port, and BPF programs that see, choose, change or redirect. */
#include "parity.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/bpf.h>
#include <linux/filter.h>

#define INSN(op, d, s, o, i) \
	((struct bpf_insn){ .code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV_REG(d, s)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD_IMM(d, i)	INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define LOAD(d, s, o)	INSN(BPF_LDX | BPF_MEM | BPF_W, d, s, o, 0)
#define STORE(d, s, o)	INSN(BPF_STX | BPF_MEM | BPF_W, d, s, o, 0)
#define STORE_IMM(d, o, i) INSN(BPF_ST | BPF_MEM | BPF_W, d, 0, o, i)
#define LOAD_MAP(d, fd)	INSN(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_FD, 0, fd), \
			INSN(0, 0, 0, 0, 0)
#define CALL(f)		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define JNE_IMM(d, i, o) INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, i)
#define EXIT()		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load(int type, int attach_type, const struct bpf_insn *insns, size_t n)
{
	union bpf_attr attr = {
		.prog_type = type, .expected_attach_type = attach_type,
		.insns = (uintptr_t)insns, .insn_cnt = n, .license = (uintptr_t)"GPL",
	};
	int fd = bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0 && (errno == EPERM || errno == EINVAL))
		skip("no BPF: %s", strerror(errno));
	return MUST(fd);
}

#define LOAD_PROG(type, attach, insns) load(type, attach, insns, ARRAY_SIZE(insns))

static int new_map(int type, int value_size, int entries)
{
	union bpf_attr attr = {
		.map_type = type, .key_size = 4, .value_size = value_size, .max_entries = entries,
	};
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		skip("no BPF map of type %d: %s", type, strerror(errno));
	return fd;
}

static int map_update(int map, int key, int fd)
{
	uint64_t value = fd;
	union bpf_attr attr = {
		.map_fd = map, .key = (uintptr_t)&key, .value = (uintptr_t)&value,
	};

	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int map_delete(int map, int key)
{
	union bpf_attr attr = { .map_fd = map, .key = (uintptr_t)&key };

	return bpf(BPF_MAP_DELETE_ELEM, &attr);
}

static int attach(int target, int prog, int type)
{
	union bpf_attr attr = { .target_fd = target, .attach_bpf_fd = prog, .attach_type = type };

	return bpf(BPF_PROG_ATTACH, &attr);
}

/* --- SO_REUSEPORT --- */

#define MEMBERS 4

/* Members of one group: two of the server's kind, two plain ones. */
static void reuseport_group(int fd[MEMBERS], int type)
{
	int i, port = 0;

	for (i = 0; i < MEMBERS; i++) {
		union addr a;

		fd[i] = i % 2 ? plain(type) : server(type);
		set_int(fd[i], SOL_SOCKET, SO_REUSEPORT, 1);
		bound(fd[i], port);
		a = local_addr(fd[i]);
		port = port_of(&a);
		if (type == SOCK_STREAM)
			MUST(listen(fd[i], 64));
	}
}

/* How many of n connections arrive at each member. */
static void count_arrivals(int fd[MEMBERS], int n, int count[MEMBERS])
{
	struct pollfd p[MEMBERS];
	int i, j, s;

	memset(count, 0, MEMBERS * sizeof(int));
	for (i = 0; i < n; i++) {
		int c = client(SOCK_STREAM);

		dial(c, fd[0]);
		for (j = 0; j < MEMBERS; j++)
			p[j] = (struct pollfd){ .fd = fd[j], .events = POLLIN };
		MUST(poll(p, MEMBERS, 10000));
		for (j = 0; j < MEMBERS; j++) {
			if (!(p[j].revents & POLLIN))
				continue;
			s = take(fd[j]);
			count[j]++;
			close(s);
		}
		close(c);
	}
}

static void reuseport(void)
{
	int fd[MEMBERS], count[MEMBERS], other = plain(SOCK_STREAM), i;
	union addr a;

	reuseport_group(fd, SOCK_STREAM);
	count_arrivals(fd, 32, count);
	see("in all %d", count[0] + count[1] + count[2] + count[3]);
	/* Chance chooses; that it never chooses one of the two kinds has odds of 2^-32. */
	CHECK(count[0] + count[2] > 0 && count[1] + count[3] > 0);
	/* One that does not share stays out. */
	a = local_addr(fd[0]);
	TRY(bind(other, &a.sa, addr_len()));
	close(fd[0]);
	close(fd[1]);
	fd[0] = fd[2];
	fd[1] = fd[3];
	for (i = 0; i < 4; i++) {
		int c = client(SOCK_STREAM);

		dial(c, fd[0]);
		close(c);
	}
}

static void reuseport_cbpf(void)
{
	struct sock_filter insn[] = { { BPF_RET | BPF_K, 0, 0, 0 } };
	struct sock_fprog prog = { 1, insn };
	int fd[MEMBERS], count[MEMBERS], i;

	reuseport_group(fd, SOCK_STREAM);
	for (i = 0; i < MEMBERS; i++) {
		insn[0].k = i;
		TRY(setsockopt(fd[(i + 1) % MEMBERS], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog,
			       sizeof(prog)));
		count_arrivals(fd, 3, count);
		see("arrivals %d %d %d %d", count[0], count[1], count[2], count[3]);
	}
	TRY(setsockopt(fd[0], SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &prog, sizeof(int)));
	TRY(setsockopt(client(SOCK_STREAM), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog,
		       sizeof(prog)));
}

static void reuseport_sockarray(void)
{
	int map = new_map(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 8, 2);
	const struct bpf_insn insns[] = {
		/* key 0 on the stack; select map[0]; pass in any case */
		STORE_IMM(BPF_REG_10, -4, 0),
		LOAD_MAP(BPF_REG_2, map),
		MOV_REG(BPF_REG_3, BPF_REG_10),
		ADD_IMM(BPF_REG_3, -4),
		MOV_IMM(BPF_REG_4, 0),
		CALL(BPF_FUNC_sk_select_reuseport),
		MOV_IMM(BPF_REG_0, SK_PASS),
		EXIT(),
	};
	int prog = LOAD_PROG(BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, insns);
	int fd[MEMBERS], count[MEMBERS], i;

	TRY(map_update(map, 0, client(SOCK_STREAM)));
	TRY(map_update(map, 0, listener()));
	reuseport_group(fd, SOCK_STREAM);
	TRY(setsockopt(fd[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &prog, sizeof(prog)));
	for (i = 0; i < MEMBERS; i++) {
		TRY(map_update(map, 0, fd[i]));
		TRY(map_update(map, 1, fd[i]));
		count_arrivals(fd, 3, count);
		see("arrivals %d %d %d %d", count[0], count[1], count[2], count[3]);
		TRY(map_delete(map, 0));
	}
	/* Members leave the map when they close. */
	TRY(map_update(map, 0, fd[0]));
	close(fd[0]);
	TRY(map_delete(map, 0));
}

static void reuseport_dgram(void)
{
	struct sock_filter insn[] = { { BPF_RET | BPF_K, 0, 0, 0 } };
	struct sock_fprog prog = { 1, insn };
	int fd[MEMBERS], i;

	reuseport_group(fd, SOCK_DGRAM);
	for (i = 0; i < MEMBERS; i++) {
		union addr a = local_addr(fd[0]);

		insn[0].k = i;
		TRY(setsockopt(fd[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog)));
		TRY(sendto(client(SOCK_DGRAM), "x", 1, 0, &a.sa, addr_len()));
		wait_for(fd[i], POLLIN);
		get(fd[i], 1);
	}
}

/* --- sockmap --- */

static void sockmap(int type)
{
	int map = new_map(type, 4, 4), c = client(SOCK_STREAM), l = listener(), s;

	TRY(map_update(map, 0, c));
	TRY(map_update(map, 1, l));
	dial(c, l);
	s = take(l);
	TRY(map_update(map, 0, c));
	TRY(map_update(map, 2, s));
	echo(c, s);
	see_poll("client", c);
	see_name("client", c);
	/* The map gives them up when they close. */
	close(c);
	wait_for(s, POLLIN);
	TRY(map_delete(map, 0));
	TRY(map_delete(map, 2));
	TRY(recv(s, (char[1]){ }, 1, 0));
	c = client(SOCK_STREAM);
	dial(c, l);
	echo(c, take(l));
	TRY(map_update(map, 3, client(SOCK_DGRAM)));
}

static void sockmap_array(void)
{
	sockmap(BPF_MAP_TYPE_SOCKMAP);
}

static void sockmap_hash(void)
{
	sockmap(BPF_MAP_TYPE_SOCKHASH);
}

/* Everything that arrives at one connection goes out of another. */
static void sockmap_redirect(void)
{
	int map = new_map(BPF_MAP_TYPE_SOCKMAP, 4, 2);
	const struct bpf_insn insns[] = {
		LOAD_MAP(BPF_REG_2, map),
		MOV_IMM(BPF_REG_3, 1),
		MOV_IMM(BPF_REG_4, 0),
		CALL(BPF_FUNC_sk_redirect_map),
		EXIT(),
	};
	int prog = LOAD_PROG(BPF_PROG_TYPE_SK_SKB, BPF_SK_SKB_STREAM_VERDICT, insns);
	struct pair in = pair(), out = pair();

	TRY(attach(map, prog, BPF_SK_SKB_STREAM_VERDICT));
	TRY(map_update(map, 0, in.s));
	TRY(map_update(map, 1, out.c));
	put(in.c, "across");
	get(out.s, 6);
	close(in.s);
	close(out.c);
	wait_for(in.c, POLLIN);
	TRY(recv(in.c, (char[1]){ }, 1, 0));
}

/* --- programs of a cgroup --- */

/* A cgroup of our own, in a mount namespace of our own; the descriptor of its directory. */
static int enter_cgroup(void)
{
	static const char dir[] = "/sys/fs/cgroup";
	char path[64];
	int fd;

	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (mount("none", dir, "cgroup2", 0, NULL) && errno != EBUSY)
		skip("no cgroup v2: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/dmm-parity", dir);
	if (mkdir(path, 0755) && errno != EEXIST)
		skip("no cgroup v2: %s", strerror(errno));
	fd = MUST(open(path, O_RDONLY | O_DIRECTORY));
	snprintf(path, sizeof(path), "%s/dmm-parity/cgroup.procs", dir);
	write_file(path, "0");
	return fd;
}

static void leave_cgroup(int fd)
{
	close(fd);
	write_file("/sys/fs/cgroup/cgroup.procs", "0");
	rmdir("/sys/fs/cgroup/dmm-parity");
}

/* Whoever may not have AF_INET sockets may not have DMM's. */
static void cgroup_create(void)
{
	const struct bpf_insn insns[] = {
		/* type STREAM: no, others: yes */
		LOAD(BPF_REG_2, BPF_REG_1, offsetof(struct bpf_sock, type)),
		MOV_IMM(BPF_REG_0, 1),
		JNE_IMM(BPF_REG_2, SOCK_STREAM, 1),
		MOV_IMM(BPF_REG_0, 0),
		EXIT(),
	};
	int prog = LOAD_PROG(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, insns);
	int cgroup = enter_cgroup();

	MUST(attach(cgroup, prog, BPF_CGROUP_INET_SOCK_CREATE));
	TRY(make(run.client, SOCK_STREAM));
	TRY(make(run.server, SOCK_STREAM));
	see("datagram: %s", make(PLAIN, SOCK_DGRAM) < 0 ? strerrorname_np(errno) : "a socket");
	leave_cgroup(cgroup);
}

/* The program of a service mesh: connections to one port go to another. */
static void cgroup_connect(void)
{
	int l = listener(), c, type, cgroup, prog;
	union addr a = local_addr(l), b = loopback(9);
	const struct bpf_insn insns[] = {
		MOV_IMM(BPF_REG_2, htons(port_of(&a))),
		STORE(BPF_REG_1, BPF_REG_2, offsetof(struct bpf_sock_addr, user_port)),
		MOV_IMM(BPF_REG_0, 1),
		EXIT(),
	};

	type = run.family == AF_INET ? BPF_CGROUP_INET4_CONNECT : BPF_CGROUP_INET6_CONNECT;
	prog = LOAD_PROG(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, type, insns);
	cgroup = enter_cgroup();
	MUST(attach(cgroup, prog, type));
	c = client(SOCK_STREAM);
	TRY(connect(c, &b.sa, addr_len()));
	wait_for(c, POLLOUT);
	see_error(c);
	echo(c, take(l));
	see_name("client", c);
	leave_cgroup(cgroup);
}

static void cgroup_connect_denied(void)
{
	const struct bpf_insn insns[] = {
		MOV_IMM(BPF_REG_0, 0),
		EXIT(),
	};
	int type = run.family == AF_INET ? BPF_CGROUP_INET4_CONNECT : BPF_CGROUP_INET6_CONNECT;
	int bind_type = run.family == AF_INET ? BPF_CGROUP_INET4_BIND : BPF_CGROUP_INET6_BIND;
	int prog = LOAD_PROG(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, type, insns);
	int bind_prog = LOAD_PROG(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, bind_type, insns);
	int l = listener(), c, cgroup;
	union addr a = local_addr(l), any = loopback(0);

	cgroup = enter_cgroup();
	MUST(attach(cgroup, prog, type));
	MUST(attach(cgroup, bind_prog, bind_type));
	c = client(SOCK_STREAM);
	CHECK(TRY(connect(c, &a.sa, addr_len())) < 0 && errno == EPERM);
	TRY(connect(client(SOCK_DGRAM), &a.sa, addr_len()));
	TRY(bind(server(SOCK_STREAM), &any.sa, addr_len()));
	see_poll("denied", c);
	leave_cgroup(cgroup);
	TRY(connect(client(SOCK_STREAM), &a.sa, addr_len()));
}

static void filter_ebpf(void)
{
	const struct bpf_insn insns[] = {
		MOV_IMM(BPF_REG_0, -1),
		EXIT(),
	};
	int prog = LOAD_PROG(BPF_PROG_TYPE_SOCKET_FILTER, 0, insns);
	int c = client(SOCK_STREAM), l = listener();

	TRY(setsockopt(c, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)));
	TRY(setsockopt(l, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)));
	close(prog);
	dial(c, l);
	echo(c, take(l));
}

const struct scenario bpf_scenarios[] = {
	{ "reuseport.stream", reuseport, ONE_MODE },
	{ "reuseport.cbpf", reuseport_cbpf, ONE_MODE },
	{ "reuseport.sockarray", reuseport_sockarray, ONE_MODE },
	{ "reuseport.dgram", reuseport_dgram, ONE_MODE | DGRAM },
	{ "sockmap.array", sockmap_array, ONE_MODE },
	{ "sockmap.hash", sockmap_hash, ONE_MODE },
	{ "sockmap.redirect", sockmap_redirect, ONE_MODE },
	{ "bpf.filter", filter_ebpf, ONE_MODE },
	{ "cgroup.create", cgroup_create, ONE_MODE },
	{ "cgroup.connect", cgroup_connect, 0 },
	{ "cgroup.denied", cgroup_connect_denied, ONE_MODE },
	{ }
};
