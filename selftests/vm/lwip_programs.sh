#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 900
#
# Unmodified programs on dmm-lwip against the kernel's TCP, as clients and as servers, on a good network and on bad ones:
# frames are lost, late, in another order, or come twice, in both directions.

# shellcheck source=selftests/lwip/common.sh
. "$(dirname "$0")/../lwip/common.sh"

for program in curl iperf3 nginx redis-server redis-benchmark redis-cli; do
	command -v $program >/dev/null || skip_all "no $program"
done

python=(/usr/bin/python3 -u)
exchange=("${python[@]}" "$here/../lwip/exchange.py")

# configure PORT: an nginx that serves this directory.
configure() {
	cat >"nginx-$1.conf" <<-END
	daemon off;
	user root;
	pid $dir/nginx-$1.pid;
	error_log $dir/nginx-$1.log;
	events { worker_connections 64; }
	http {
	    access_log off;
	    client_body_temp_path $dir/temp-$1;
	    sendfile on;
	    server { listen [::]:$1 ipv6only=off; root $dir; }
	}
	END
}

# start_nginx PORT [COMMAND...]
start_nginx() {
	configure "$1"
	"${@:2}" nginx -c "$dir/nginx-$1.conf" -e "$dir/nginx-$1.log" >/dev/null 2>&1 &
	echo $! >>servers
	wait_for 60 test -s "nginx-$1.pid"
}

# start_redis ADDRESSES [COMMAND...]
start_redis() {
	# shellcheck disable=SC2086 # several
	"${@:2}" redis-server --bind $1 --protected-mode no --save '' >"redis ${1%% *}.log" 2>&1 &
	echo $! >>servers
	wait_for 60 grep -q 'Ready to accept' "redis ${1%% *}.log"
}

# iperf COMMAND...: what the receiver counts itself. It ends when the last byte was sent, not when it came: there are no
# more on their way than the sender's buffer and the stack's window take, 64 and 256 KiB.
iperf() {
	local received

	"$@" -J -w 32K -n $((size + 400000)) >iperf.json || { cat iperf.json; return 1; }
	received=$(awk '/"sum_received"/ { found = 1 } found && /"bytes"/ { print $2 + 0; exit }' iperf.json)
	((received >= size)) || { echo "$received of $size bytes"; return 1; }
}

# benchmark ADDRESS COMMAND...: what it measures is there, and a value of $size bytes is what it was.
benchmark() {
	expect 'GET: [0-9.]+ requests' "${@:2}" redis-benchmark -h "$1" -q -t set,get -n 500 -c 20 -d 100 &&
		expect OK "${@:2}" redis-cli -h "$1" -x set file <data &&
		"${@:2}" redis-cli -h "$1" --raw get file | head -c "$size" >got && cmp data got
}

# programs NETWORK BYTES FAR NEAR: by the addresses of both ends.
programs() {
	local there=$3 here=$4

	size=$2
	head -c "$size" /dev/urandom >data
	test_case "$1: curl" fetch dmmrun "http://$(url_host "$there"):8000/data"
	test_case "$1: nginx" fetch "${far[@]}" "http://$(url_host "$here"):8001/data"
	test_case "$1: Python" dmmrun "${exchange[@]}" run "$there" 8002 "$size"
	test_case "$1: a server in Python" "${far[@]}" "${exchange[@]}" run "$here" 8003 "$size"
	test_case "$1: iperf3 sends" iperf dmmrun iperf3 -c "$there"
	test_case "$1: iperf3 receives" iperf dmmrun iperf3 -c "$there" -R
	test_case "$1: a server of iperf3" iperf "${far[@]}" iperf3 -c "$here" -p 5202
	test_case "$1: redis-benchmark" benchmark "$there" dmmrun
	test_case "$1: redis" benchmark "$here" "${far[@]}"
	test_case "$1: datagrams" dmmrun --dgram talk ask udp "$there" 7001 4 10 1000
	test_case "$1: datagrams in fragments" dmmrun --dgram talk ask udp "$there" 7001 2 5 4000
	test_case "$1: datagrams to a server" "${far[@]}" talk ask udp "$here" 7002 4 10 1000
	test_case "$1: in fragments to a server" "${far[@]}" talk ask udp "$here" 7002 2 5 4000
}

url_host() {
	[[ $1 == *:* ]] && echo "[$1]" || echo "$1"
}

start >start.log || note "$(<start.log)"
dmmpolicy rule add stack lwip strict
test_case "servers on the kernel" start_nginx 8000 "${far[@]}"
test_case "of Python" serve python-far.log ready "${far[@]}" "${exchange[@]}" serve 8002
test_case "of iperf3" serve iperf-far.log listening "${far[@]}" iperf3 -s --forceflush
test_case "of redis" start_redis "10.77.0.1 fd77::1" "${far[@]}"
test_case "of datagrams" serve datagrams-far.log ready "${far[@]}" talk serve udp 7001
test_case "servers on lwIP" start_nginx 8001 dmmrun
test_case "of Python" serve python-near.log ready dmmrun "${exchange[@]}" serve 8003
test_case "of iperf3" serve iperf-near.log listening dmmrun iperf3 -s -p 5202 --forceflush
test_case "of redis" start_redis "10.77.0.2 fd77::2" dmmrun
test_case "of datagrams" serve datagrams-near.log ready dmmrun --dgram talk serve udp 7002

programs "good" 400000 10.77.0.1 10.77.0.2
programs "good, IPv6" 400000 fd77::1 fd77::2
test_case "a network that loses 1 %" bad_network delay 3ms 1ms loss 1% reorder 2% duplicate 1%
programs "1 %" 150000 fd77::1 fd77::2
test_case "a network that loses 5 %" bad_network delay 3ms 2ms loss 5% reorder 5% duplicate 2%
programs "5 %" 80000 10.77.0.1 10.77.0.2
good_network

# A server that has sent all and closed waits for its last acknowledgement as long as bytes take.
slow_network() {
	tc qdisc replace dev near root netem rate 250kbit limit 10000
}
test_case "a slow network" slow_network
test_case "what is sent before close() arrives" "${far[@]}" "${exchange[@]}" run 10.77.0.2 8003 350000
tc qdisc del dev near root
finish
