#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.1
#
# dmm-lwip is killed while it has connections in each state, and started again: applications see that their connections
# are broken, connects under way go on with the rule's next stack, and a listener that was there before serves again.

# shellcheck source=selftests/lwip/common.sh
. "$(dirname "$0")/../lwip/common.sh"

# To lwIP it is beyond a gateway that is not there; the kernel of this side has a way of its own.
kernel_pair

says() {
	wait_for 90 grep -q "$1" "$2" || { cat "$2"; return 1; }
}

# client LOG ADDRESS: connects, says "client", and shows what comes back.
client() {
	# shellcheck disable=SC2016 # the other shell's
	"${far[@]}" bash -c 'exec 3<>/dev/tcp/$1/8001 && echo connected && echo -n client >&3 && cat <&3' client "$2" >"$1" 2>&1 &
	echo $! >>servers
	says connected "$1"
}

listening() {
	dmmss -tlnH | grep -q ":8001 "
}

# begin ECHO ELSEWHERE NEAR: the program with its sockets, and its clients at the other end.
begin() {
	rm -f in states.log
	mkfifo in
	dmmrun -d /usr/bin/python3 -u "$here/../lwip/states.py" "$1" "$1" "$2" <>in >states.log 2>&1 &
	echo $! >>servers
	wait_for 60 listening
	client accepted.log "$3" && client waiting.log "$3" &&
		"${far[@]}" /usr/bin/python3 "$here/../lwip/frames.py" syn far "$mac" "$3" 8001 20
}

# hold NAME COMMAND...: "open" when all connections are there; let_go NAME goes on with them.
hold() {
	rm -f "$1".*
	mkfifo "$1.in"
	"${@:2}" <>"$1.in" >"$1.out" 2>&1 &
	echo $! >>servers
	says ^open "$1.out"
}

let_go() {
	echo 1<>"$1.in"
	says "$2" "$1.out"
}

outcome() {
	local is
	is=$(sed -n "s/^$1 //p" states.log)

	[[ $is =~ ^($2)$ ]] || { echo "$1: $is, not $2"; return 1; }
}

# life ECHO NEAR ELSEWHERE: of one daemon.
life() {
	local name
	local -A outcomes=(
		[events]='ERR HUP IN '
		[idle]='ECONNRESET EPIPE'
		[unread]='unread ECONNRESET EPIPE'
		[accepted]='client ECONNRESET EPIPE|ECONNRESET EPIPE'
		[full]='ECONNRESET EPIPE'
		[half]='ECONNRESET EPIPE'
		[peer_done]='(EOF|EPIPE|ECONNRESET) EPIPE'
		[reader]=ECONNRESET
		[writer]='ECONNRESET|EPIPE'
		[asked]='ECONN(REFUSED|RESET)'
		[fallback]=echo
		[datagrams]=events
	)

	begin "$1" "$3" "$2" >begin.log 2>&1
	test_case "$1: sockets in each state" says ready states.log
	test_case "$1: connections from there" hold there "${far[@]}" traffic hold 5 5 "$2" 8002
	test_case "$1: the daemon is killed" kill_daemon
	wait "$daemon" 2>/dev/null
	echo 1<>in
	test_case "$1: all sockets hear of it" says 'done with the dead' states.log
	for name in "${!outcomes[@]}"; do
		test_case "$1: $name" outcome "$name" "${outcomes[$name]}"
	done
	start >start.log || note "$(<start.log)"
	test_case "$1: another daemon" registered
	echo 1<>in
	client again.log "$2"
	test_case "$1: the program goes on" says 'done with the living' states.log
	test_case "$1: it can connect" outcome connect echo
	test_case "$1: its listener is there" outcome accept client
	test_case "$1: the other end is told of connections that are no more" let_go there 'Connection reset'
	test_case "$1: and connects anew" "${far[@]}" traffic churn 10 5 "$2" 8002
}

mac=$(ip -br link show near | awk '{ print $3 }')
lwip+=(--gateway 10.77.0.99 --gateway fd77::99)
start >start.log || note "$(<start.log)"
dmmpolicy rule add prio 1 connect dst 10.77.0.0/24 stack lwip strict
dmmpolicy rule add prio 2 connect dst fd77::/64 stack lwip strict
dmmpolicy rule add prio 3 connect tcp stack lwip,kernel timeout 100000
dmmpolicy rule add prio 4 listen tcp stack lwip,kernel
test_case "a server of echoes" serve echo.log ready "${far[@]}" traffic serve 8000
test_case "a server that never reads" serve sink.log ready "${far[@]}" /usr/bin/python3 -u -c '
import socket, time
s = socket.create_server(("", 8003), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
print("ready")
time.sleep(100000)'
test_case "a server on lwIP" serve near.log ready dmmrun traffic serve 8002

life 10.77.0.1 10.77.0.2 10.78.0.1
life fd77::1 fd77::2 fd78::1
finish
