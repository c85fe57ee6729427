#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 300
#
# dmm-rsocket: programs on DMM sockets against programs on rsockets. rstream is either, and compares what it gets; links,
# of the benchmarks, is preloaded with librspreload.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/rdma/net.sh
. "$(dirname "$0")/../rdma/net.sh"

rdma_needs dmm-rsocket

preload=/usr/lib/x86_64-linux-gnu/rsocket/librspreload.so
links=${DMM_BUILD:?}/bench/links
own_dir
cleanup "dmmpolicy flush all"
cleanup rdma_net_down
cleanup rdma_end_jobs

rdma_net_up >net.log 2>&1 || { not_ok "two devices"; note "$(<net.log)"; finish; }

is_there() {
	dmmpolicy stack show | grep -q '^rsocket@'
}
listens() {
	dmmpolicy stack show | grep '^rsocket@' | grep -q " listeners $1 "
}
dmm-rsocket 2>rsocket.log &
daemon=$!
test_case "it registers" wait_for 60 is_there
dmmpolicy rule add prio 1 connect tcp dport 7000-7999 stack rsocket strict
dmmpolicy rule add prio 2 listen tcp sport 7000-7999 stack rsocket strict

# stream SIZE COUNT OPTION: rstream on both sides, with the data compared. Here the server uses rsockets, and the client DMM.
to_rsockets() {
	local server status

	rstream -b 10.78.0.2 -p 7001 -S "$1" -C "$2" -T v -I 2 >server.log 2>&1 &
	server=$!
	for ((i = 0; i < 20; i++)); do
		dmmrun timeout 60 rstream -b 10.78.0.1 -s 10.78.0.2 -p 7001 -S "$1" -C "$2" -T s -T v -I 2 >client.log 2>&1
		status=$?
		((status)) || break
		kill -0 "$server" || break
		sleep 0.2
	done
	wait "$server" || status=1
	((status == 0)) || { cat server.log client.log; return 1; }
}
from_rsockets() {
	local server status

	dmmrun rstream -b 10.78.0.2 -p 7002 -S "$1" -C "$2" -T s -T v -I 2 >server.log 2>&1 &
	server=$!
	wait_for 30 listens 1
	timeout 60 rstream -b 10.78.0.1 -s 10.78.0.2 -p 7002 -S "$1" -C "$2" -T v -I 2 >client.log 2>&1
	status=$?
	wait "$server" || status=1
	((status == 0)) || { cat server.log client.log; return 1; }
}
for size in 64 65536 1000000; do
	test_case "rstream to rsockets, $size bytes" to_rsockets $size 20
	test_case "rstream from rsockets, $size bytes" from_rsockets $size 20
done

LD_PRELOAD=$preload "$links" server 10.78.0.2 7003 &
patiently() {
	for ((i = 0; i < 20; i++)); do
		! "$@" || return 0
		sleep 0.2
	done
	return 1
}
test_case "to a program that is preloaded with librspreload" \
	patiently dmmrun timeout 60 "$links" client 10.78.0.1 10.78.0.2 7003 2000000
dmmrun "$links" server 10.78.0.2 7004 &
wait_for 30 listens 1 >/dev/null
# Six connections, none of which waits for the seconds after which librdmacm looks again by itself.
from_preloaded() {
	LD_PRELOAD=$preload timeout 20 "$links" client 10.78.0.1 10.78.0.2 7004 "$1"
}
test_case "from such a program" from_preloaded 2000000

# It writes into memory that a socket cannot map: it must not get any, and do no harm.
memory_writer() {
	! timeout 10 riostream -b 10.78.0.1 -s 10.78.0.2 -p 7004 -S 64 -C 10 || return
	from_preloaded 1000
}
test_case "riostream does not get through, and the next one does" memory_writer

kill "$daemon"
wait "$daemon"
test_case "it ends when it is told to" test $? = 0
finish
