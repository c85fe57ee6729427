#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 900
# kernel: 6.12
#
# dmm-lwip with many connections: thousands at a time, thousands one after the other, and on a listener that has the
# kernel's connections beside them. DMM_CONNECTIONS=100000 makes so many short ones instead of 6000.

# shellcheck source=selftests/lwip/common.sh
. "$(dirname "$0")/../lwip/common.sh"

number=${DMM_CONNECTIONS:-$((6000 / ${DMM_ROUNDS_DIV:-1}))}
many=$((4000 / ${DMM_ROUNDS_DIV:-1}))

kernel_pair

# counter NAME [STACK]: of the one instance of lwip, or of another stack.
counter() {
	dmmpolicy -s stack show "${2-lwip}" | sed -nE "s/.*\<$1 ([0-9]+).*/\1/p"
}

idle() {
	[[ $(counter live) == 0 ]]
}

# held: "name value" of what must not grow. In KiB, so that a pcb that stays for each connection would be seen.
held() {
	wait_for 60 idle || { dmmpolicy -s stack show; dmmss -tanm | tail -n 20; return 1; }
	echo "descriptors $(find "/proc/$daemon/fd" -type l | wc -l)"
	awk '/VmData|RssAnon/ { print $1, $2 }' "/proc/$daemon/status"
	awk '/^sockets:/ { print "sockets", $3 } /^TCP6?:/ { print $1, $3 }' /proc/net/sockstat /proc/net/sockstat6
	dmmpolicy stat | grep -E '^(undecided|connecting|connected)'
}

# no_growth BEFORE AFTER: in memory there may be one MiB more, of all else none.
no_growth() {
	cat "$1" "$2"
	[[ -s $1 ]] && paste "$1" "$2" | awk '{ if ($4 > $2 + ($1 ~ /VmData|RssAnon/ ? 1024 : 0)) grown = 1 } END { exit grown }'
}

# churn NUMBER: half from lwIP, half to it, at the same time; half of those by IPv6.
churn() {
	local n=$(($1 / 4)) pid pids=() status=0

	"${far[@]}" traffic churn "$n" 10 10.77.0.2 8001 & pids+=($!)
	"${far[@]}" traffic churn "$n" 10 fd77::2 8001 & pids+=($!)
	dmmrun traffic churn "$n" 10 10.77.0.1 8000 & pids+=($!)
	dmmrun traffic churn "$n" 10 fd77::1 8000 & pids+=($!)
	for pid in "${pids[@]}"; do
		wait "$pid" || status=1
	done
	return "$status"
}

# hold NAME COMMAND...: "open" when all connections are there; let_go NAME ends them.
hold() {
	mkfifo "$1.in"
	{ "${@:2}" <>"$1.in" >"$1.out" 2>&1; echo $? >"$1.status"; } &
}

opened() {
	grep -q '^open' "$1.out"
}

let_go() {
	echo 1<>"$1.in"
	wait_for 60 test -s "$1.status" || return
	[[ $(<"$1.status") == 0 ]] || { cat "$1.out"; return 1; }
}

# Ends of connections, "LOCAL REMOTE STATE", as seen from here; IPv4 as such, also on sockets of IPv6.
seen_there() {
	"${far[@]}" ss -tnH | awk '{ print $5, $4, $1 }' | sed 's/\[::ffff:\([0-9.]*\)\]/\1/g' | sort
}

seen_here() {
	dmmss -tnH | awk '{ print $5, $6, $2 }' | sed 's/\[::ffff:\([0-9.]*\)\]/\1/g' | sort
}

same_view() {
	seen_there | grep -v TIME-WAIT >there
	seen_here >here
	[[ $(wc -l <here) == "$1" ]] || { echo "$(wc -l <here) connections"; cat here; return 1; }
	diff there here
}

# $1 connections of each sort on one listener.
both_stacks() {
	local kernel lwip

	kernel=$(counter accepts kernel) lwip=$(counter accepts)
	hold a "${far[@]}" traffic hold "$1" 10 10.77.0.2 8001
	hold b "${far[@]}" traffic hold "$1" 10 10.78.0.2 8001
	hold c "${far[@]}" traffic hold "$1" 10 fd77::2 8001
	hold d "${far[@]}" traffic hold "$1" 10 fd78::2 8001
	wait_for 60 opened a && wait_for 60 opened b && wait_for 60 opened c && wait_for 60 opened d || return
	(($(counter accepts kernel) == kernel + 2 * $1 && $(counter accepts) == lwip + 2 * $1)) ||
		{ dmmpolicy -s stack show; return 1; }
}

lwip+=(--arena 128)
start >start.log || note "$(<start.log)"
# However long it takes: with so many a frame is lost now and then.
dmmpolicy rule add prio 1 connect tcp stack lwip strict timeout 60000
dmmpolicy rule add prio 2 listen tcp stack lwip,kernel
test_case "a server on the kernel" serve far.log ready "${far[@]}" traffic serve 8000 4096
test_case "a server on both stacks" serve near.log ready dmmrun traffic serve 8001 4096

both_stacks 20 >both.log 2>&1
test_case "one listener has connections of both stacks" test $? = 0
note "$(<both.log)"
test_case "ss at the other end and dmmss here agree" same_view 80
test_case "what lwIP knows of its connections" expect 'lwip@0 .* rto:[0-9.]+ .*mss:1[0-9]+ cwnd:[0-9]+ .*bytes_received:[0-9]+' dmmss -tni
for name in a b c d; do
	test_case "all of them go on ($name)" let_go $name
done

test_case "$many connections at a time, from lwIP" dmmrun traffic hold "$many" 200 10.77.0.1 8000
test_case "$many to it" "${far[@]}" traffic hold "$many" 200 fd77::2 8001

# The end that closes first remembers the connection for some seconds.
same_port() {
	dmmrun /usr/bin/python3 - <<-'END'
	import socket
	for n in range(3):
	    with socket.socket() as s:
	        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	        s.bind(("10.77.0.2", 5555))
	        s.connect(("10.77.0.1", 8000))
	        s.shutdown(socket.SHUT_WR)
	        assert s.recv(1) == b""
	END
}
test_case "one after the other between the same ends" same_port

test_case "some short connections, so that tables are as large as they get" churn $((many / 4))
held >before
test_case "$number short connections" churn "$number"
held >after
test_case "nothing of them is left" no_growth before after
note "$(paste before after)"
finish
