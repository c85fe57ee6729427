// SPDX-License-Identifier: GPL-2.0-only
/* Signal-driven I/O, set up before and after the decision. */
#include "parity.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* Signals are blocked and fetched: which one, for which descriptor, with which band. */
static void catch(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void see_signals(const char *when, int sig)
{
	struct timespec now = { 0 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	see("%s:", when);
	while (sigtimedwait(&set, &info, &now) == sig) {
		if (sig >= SIGRTMIN)
			see("  fd %d band %s code %d", info.si_fd, show_events(info.si_band),
			    info.si_code);
		else
			see("  a signal");
	}
}

static void see_owner(int fd)
{
	struct f_owner_ex ex;

	see("F_GETOWN %s F_GETSIG %d", fcntl(fd, F_GETOWN) == getpid() ? "this" : "none",
	    fcntl(fd, F_GETSIG));
	if (TRY(fcntl(fd, F_GETOWN_EX, &ex)) == 0)
		see("type %d", ex.type);
}

static void arm(int fd, int sig)
{
	MUST(fcntl(fd, F_SETOWN, getpid()));
	MUST(fcntl(fd, F_SETSIG, sig));
	TRY(fcntl(fd, F_SETFL, O_ASYNC | (run.nonblock ? O_NONBLOCK : 0)));
	see("flags %x", fcntl(fd, F_GETFL));
}

static void life(int sig)
{
	int c = client(SOCK_STREAM), l = server(SOCK_STREAM), s;

	catch(sig ?: SIGIO);
	see_owner(c);
	arm(c, sig);
	arm(l, sig);
	see_owner(c);
	bound(l, 0);
	MUST(listen(l, 2));
	see_signals("fresh", sig ?: SIGIO);
	dial(c, l);
	see_signals("connected", sig ?: SIGIO);
	s = take(l);
	see_signals("taken", sig ?: SIGIO);
	see("accepted flags %x", fcntl(s, F_GETFL));
	put(s, "x");
	wait_bytes(c, 1);
	see_signals("data", sig ?: SIGIO);
	get(c, 1);
	see_signals("read", sig ?: SIGIO);
	MUST(shutdown(s, SHUT_WR));
	wait_for(c, POLLRDHUP);
	see_signals("half closed", sig ?: SIGIO);
	close(s);
	TRY(ioctl(c, FIOASYNC, &(int){ 0 }));
	see("flags %x", fcntl(c, F_GETFL));
}

static void sigio(void)
{
	life(0);
}

static void queued(void)
{
	life(SIGRTMIN);
}

static void urgent(void)
{
	struct pair p = pair();

	catch(SIGURG);
	MUST(fcntl(p.s, F_SETOWN, getpid()));
	TRY(send(p.c, "!", 1, MSG_OOB));
	wait_for(p.s, POLLPRI);
	see_signals("urgent", SIGURG);
}

static void refused(void)
{
	union addr dead = dead_end();
	int c = client(SOCK_STREAM);

	catch(SIGRTMIN);
	arm(c, SIGRTMIN);
	TRY(connect(c, &dead.sa, addr_len()));
	wait_for(c, POLLHUP);
	see_signals("refused", SIGRTMIN);
}

static void owners(void)
{
	int c = client(SOCK_STREAM);
	int pid = getpid();

	TRY(ioctl(c, FIOSETOWN, &pid));
	see_owner(c);
	TRY(ioctl(c, SIOCSPGRP, &(int){ 0 }));
	see_owner(c);
	TRY(fcntl(c, F_SETOWN, 0x7ffffff));
	TRY(fcntl(c, F_SETOWN_EX, &(struct f_owner_ex){ F_OWNER_TID, pid }));
	see_owner(c);
	TRY(fcntl(c, F_SETSIG, 999));
}

static void dgram(void)
{
	int s = server(SOCK_DGRAM), c = client(SOCK_DGRAM);
	union addr a;

	catch(SIGRTMIN);
	arm(s, SIGRTMIN);
	arm(c, SIGRTMIN);
	bound(s, 0);
	a = local_addr(s);
	MUST(connect(c, &a.sa, addr_len()));
	put(c, "x");
	wait_signal(SIGRTMIN);
	see_signals("datagram", SIGRTMIN);
}

const struct scenario signal_scenarios[] = {
	{ "signal.sigio", sigio, 0 },
	{ "signal.queued", queued, 0 },
	{ "signal.urgent", urgent, ONE_MODE },
	{ "signal.refused", refused, 0 },
	{ "signal.owners", owners, ONE_ROLE | ONE_MODE },
	{ "signal.dgram", dgram, DGRAM },
	{ }
};
