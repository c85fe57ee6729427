// SPDX-License-Identifier: Apache-2.0
/*
 * lwIP's tcp_out.c, with segments that say their bytes may change (PBUF_REF): in a tx ring they do
 * as soon as they are acknowledged, while a frame may still wait for a neighbour's address.  lwIP
 * then copies what waits; otherwise there is no difference.
 */
#include "lwip/pbuf.h"
#define PBUF_ROM PBUF_REF
#include "core/tcp_out.c"
