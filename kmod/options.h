/* SPDX-License-Identifier: GPL-2.0-only */
/* Socket options: SOL_DMM, and those that a rule sets. */
#ifndef DMM_OPTIONS_H
#define DMM_OPTIONS_H

#include <linux/sockptr.h>

struct dmm_options;
struct dmm_sockopts;
struct sock;
struct socket;

int dmm_setsockopt(struct socket *sock, int optname, sockptr_t optval,
		   unsigned int optlen);
int dmm_getsockopt(struct socket *sock, int optname, char __user *optval,
		   int __user *optlen);

/*
 * Set a rule's options on a socket that goes to the kernel's stack.  What the
 * socket refuses (a congestion control that was unloaded) is counted, not
 * fatal: an option is no reason to lose a connection.
 */
void dmm_sockopts_apply(struct socket *sock, const struct dmm_sockopts *opts);

/* The socket's options, as a stack sees them. */
void dmm_options_describe(const struct sock *sk, struct dmm_options *to);
/* Is that still what a stack was told? */
bool dmm_options_told(const struct sock *sk, const struct dmm_options *told);

int dmm_options_init(void);
void dmm_options_exit(void);

#endif /* DMM_OPTIONS_H */
