// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel TLS. It copies the operations of the first socket that uses it into
 * tables for the whole machine, so that a mistake shows on other sockets, and
 * later: each scenario ends with plain sockets, and the module's reference
 * count is looked at in the end.
 */
#include "parity.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/mman.h>
#include <netinet/tcp.h>
#include <linux/tls.h>

static int set_ulp(int fd, const char *name)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, name, strlen(name));
}

/* A machine without the module has nothing to test. */
static void need_tls(void)
{
	int fd = plain(SOCK_STREAM);

	if (set_ulp(fd, "tls") && errno == ENOENT)
		skip("the kernel has no TLS");
	close(fd);
}

/* Keys are the same for both directions and ends; the first record has number 0. */
static void set_keys(int fd)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = { TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128 },
		.iv = "initvec", .key = "sixteen byte key", .salt = "s4l",
	};

	TRY(set_ulp(fd, "tls"));
	TRY(setsockopt(fd, SOL_TLS, TLS_TX, &keys, sizeof(keys)));
	TRY(setsockopt(fd, SOL_TLS, TLS_RX, &keys, sizeof(keys)));
}

static void see_keys(int fd)
{
	struct tls_crypto_info info = { };
	socklen_t len = sizeof(info);

	TRY(getsockopt(fd, SOL_TLS, TLS_TX, &info, &len));
	see("version %x cipher %u", info.version, info.cipher_type);
}

static void exchange(struct pair p)
{
	int file = MUST(memfd_create("page", 0)), pipes[2];

	set_keys(p.c);
	set_keys(p.s);
	see_keys(p.c);
	TRY(set_ulp(p.c, "tls"));
	echo(p.c, p.s);
	see_poll("client", p.c);
	MUST(write(file, "from a file", 11));
	TRY(sendfile(p.c, file, &(off_t){ 0 }, 11));
	get(p.s, 11);
	MUST(pipe(pipes));
	MUST(write(pipes[1], "from a pipe", 11));
	TRY(splice(pipes[0], NULL, p.s, NULL, 11, 0));
	get(p.c, 11);
	put(p.s, "to a pipe");
	wait_for(p.c, POLLIN);
	TRY(splice(p.c, NULL, pipes[1], NULL, 64, 0));
	close(p.c);
	wait_for(p.s, POLLIN);
	TRY(recv(p.s, (char[1]){ }, 1, 0));
	close(p.s);
	close(p.l);
}

static void data(void)
{
	struct run own = run;

	need_tls();
	exchange(pair());
	/* And afterwards on sockets that have nothing to do with it. */
	run.client = run.server = PLAIN;
	exchange(pair());
	run = own;
	exchange(pair());
}

/* The option on sockets that it is not for, and then on one that it is for. */
static void undecided(void)
{
	static const char *const names[] = { "tls", "mptcp", "espintcp", "none", "" };
	int c = client(SOCK_STREAM), b = bound(server(SOCK_STREAM), 0), l = listener();
	char name[16];
	socklen_t len;
	size_t i;

	need_tls();
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		see("ULP \"%s\"", names[i]);
		TRY(set_ulp(c, names[i]));
	}
	TRY(set_ulp(b, "tls"));
	TRY(set_ulp(l, "tls"));
	TRY(setsockopt(c, IPPROTO_TCP, TCP_ULP, (void *)8, 3));
	TRY(setsockopt(c, IPPROTO_TCP, TCP_ULP, "tls", 0));
	TRY(setsockopt(c, IPPROTO_TCP, TCP_ULP, "tls", -1));
	len = sizeof(name);
	TRY(getsockopt(c, IPPROTO_TCP, TCP_ULP, name, &len));
	see("length %u", len);
	TRY(setsockopt(c, SOL_TLS, TLS_TX, name, sizeof(name)));
	/* These sockets still work. */
	dial(c, l);
	echo(c, take(l));
	run.client = run.server = PLAIN;
	exchange(pair());
}

/* A TLS socket that is disconnected, and used again in the clear. */
static void reuse(void)
{
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	struct pair p;

	need_tls();
	p = pair();
	set_keys(p.c);
	set_keys(p.s);
	TRY(connect(p.c, &unspec, sizeof(unspec)));
	TRY(shutdown(p.c, SHUT_RDWR));
	TRY(close(p.c));
	TRY(close(p.s));
}

const struct scenario tls_scenarios[] = {
	{ "tls.undecided", undecided, ONE_ROLE | ONE_MODE },
	{ "tls.data", data, ONE_MODE },
	{ "tls.reuse", reuse, ONE_MODE },
	{ }
};
