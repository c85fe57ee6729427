// SPDX-License-Identifier: Apache-2.0
/* dmmss: the kernel's struct tcp_info, of which the C library, and with it libnl, has an old one. */
#include <string.h>
#include <linux/tcp.h>

#include "dmmss.h"

void info_read(struct info *info, const void *data, size_t len)
{
	struct tcp_info tcp = { 0 };

	memcpy(&tcp, data, len < sizeof(tcp) ? len : sizeof(tcp));
	*info = (struct info){
		tcp.tcpi_rto, tcp.tcpi_rtt, tcp.tcpi_rttvar, tcp.tcpi_snd_mss, tcp.tcpi_snd_cwnd, tcp.tcpi_snd_ssthresh,
		tcp.tcpi_unacked, tcp.tcpi_retrans, tcp.tcpi_total_retrans, tcp.tcpi_bytes_acked, tcp.tcpi_bytes_received,
	};
}
