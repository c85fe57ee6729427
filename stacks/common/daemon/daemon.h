/* SPDX-License-Identifier: Apache-2.0 */
/* What daemons tell those who start them. */
#ifndef DMM_DAEMON_H
#define DMM_DAEMON_H

#include <stdbool.h>

/*
 * Go on in a child.  The device belongs to the process that opens it, so this is before that.
 * Returns 0 in the child, with @ready for daemon_ready(); the parent exits as soon as the child is
 * ready, or has ended.
 */
int daemon_background(int *ready);

/* As sd_notify() does; and to the parent, if @ready is not -1.  In the background nothing is printed any more. */
void daemon_ready(const char *name, int ready, bool background);

#endif
