/* SPDX-License-Identifier: Apache-2.0 */
/* What lwIP wants to know of compiler and C library. */
#ifndef DMM_LWIP_CC_H
#define DMM_LWIP_CC_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define LWIP_RAND()		arc4random()
#define LWIP_ERRNO_STDINCLUDE	1
#define LWIP_TIMEVAL_PRIVATE	0
#define LWIP_PLATFORM_DIAG(x)	do { } while (0)
#define LWIP_PLATFORM_ASSERT(x)	abort()

#endif
