/* SPDX-License-Identifier: Apache-2.0 */
/* What daemons tell those who start them, and are told by them. */
#ifndef DMM_DAEMON_H
#define DMM_DAEMON_H

#include <stdbool.h>

/*
 * Go on in a child.  The device belongs to the process that opens it, so this is before that.
 * Returns 0 in the child, with @ready for daemon_ready(); the parent exits as soon as the child is
 * ready, or has ended.
 */
int daemon_background(int *ready);

/* As sd_notify() does; and to the parent, if @ready is not -1.  In the background stderr is syslog(3) from now on. */
void daemon_ready(const char *name, int ready, bool background);

/*
 * From now on SIGTERM and SIGINT, and @more if it is not 0, wait in the descriptor that this returns, or
 * a negative errno.  SIGPIPE is ignored.
 */
int daemon_signals(int more);

/* Does not wait.  Returns the next signal, 0 if there is none. */
int daemon_signal(int fd);

#endif
