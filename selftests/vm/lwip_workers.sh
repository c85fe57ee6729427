#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.12
#
# Two workers of one dmm-lwip, each with a port of its own to the same other namespace:
#
#   this namespace: programs under dmmrun -+- worker a 10.77.1.2 -- near1 ==== far1 -- 10.77.1.1 -+- the kernel, 10.88.0.1
#                                          \- worker b 10.77.2.2 -- near2 ==== far2 -- 10.77.2.1 -/

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

needs_stack dmm-lwip

own_dir
cleanup "jobs -p | xargs -r kill"

new_namespace
other=$ns far=(nsenter -t "$ns" -n)

ip link set lo up
"${far[@]}" ip addr add 10.88.0.1/32 dev lo
for i in 1 2; do
	wait_for 20 ip link add near$i type veth peer name far$i netns "$other"
	ip link set near$i addrgenmode none up
	"${far[@]}" ip link set far$i up
	"${far[@]}" ip addr add "10.77.$i.1/24" dev far$i
done

cat >lwip.conf <<END
arena 16
worker a
port near1
address 10.77.1.2/24
gateway 10.77.1.1
worker b
port near2
address 10.77.2.2/24
gateway 10.77.2.1
END

is_there() {
	dmmpolicy stack show "lwip@$1" | grep -q 10.77
}

both_there() {
	is_there a && is_there b
}

start() {
	dmm-lwip --config lwip.conf >lwip.log 2>&1 &
	daemon=$!
	wait_for 60 both_there || { cat lwip.log; return 1; }
}

# stat INSTANCE NAME
stat_of() {
	dmmpolicy -s stack show "lwip@$1" | grep -oE " $2 [0-9]+" | cut -d ' ' -f 3
}

pid_of() {
	stat_of "$1" pid
}

# held A B: so many connections on each.
held() {
	[[ $(stat_of a live) == "$1" && $(stat_of b live) == "$2" ]]
}

# connect NR: connections that last, one after the other, by processes in clients.
connect() {
	local i before

	for ((i = 0; i < $1; i++)); do
		before=$(($(stat_of a live) + $(stat_of b live)))
		dmmrun bash -c 'exec 3<>/dev/tcp/10.88.0.1/8000 && read -r _ <&3' 2>/dev/null &
		clients+=($!)
		wait_for 60 eval "((\$(stat_of a live) + \$(stat_of b live) > $before))"
	done
}

running() {
	local pid nr=0

	for pid in "${clients[@]}"; do
		! kill -0 "$pid" 2>/dev/null || ((++nr))
	done
	((nr == $1))
}

comes_again() {
	is_there a && [[ $(pid_of a) != "$1" ]]
}

ends() {
	! kill -0 "$1" 2>/dev/null
}

no_children() {
	! dmmpolicy stack show | grep -q lwip
}

refused() {
	refuse "$1" dmm-lwip --check "${@:2}"
}

test_case "a worker without port" refused 'no port for worker b' --worker a --port x --address 10.0.0.1/24 --worker b
test_case "two of one name" refused 'second worker a' --worker a --port x --address 10.0.0.1/24 --worker a
test_case "a port of no worker" refused 'before the first' --port x --address 10.0.0.1/24 --worker a
test_case "one that cannot start ends all" eval '! dmm-lwip --worker a --port near1 --address 10.77.1.2/24 --worker b \
	--port nothing --address 10.77.2.2/24 2>bad.log && grep -q "port nothing" bad.log && wait_for 20 no_children'

start >start.log || note "$(<start.log)"
test_case "both serve" both_there
dmmpolicy group add pair lwip@a weight 100, lwip@b weight 300
dmmpolicy rule add connect tcp group pair strict

# Takes connections, and says nothing.
"${far[@]}" python3 -c 'import socket, time
s = socket.create_server(("10.88.0.1", 8000), backlog=64)
kept = []
while True:
	kept.append(s.accept())' &
wait_for 60 eval "[[ \$(${far[*]} ss -Hltn 'sport = :8000') ]]"

clients=()
connect 4
test_case "a group with weights shares connections among them" wait_for 60 held 1 3
pid=$(pid_of a)
kill -9 "$pid"
test_case "one is killed: its connections end" wait_for 60 running 3
test_case "and those of the other go on" test "$(stat_of b live)" = 3
test_case "it is reported, and started again" wait_for 60 comes_again "$pid"
test_case "with its name" grep -q 'worker a: Killed' lwip.log
connect 1
test_case "and gets connections again" wait_for 60 held 1 3

a=$(pid_of a) b=$(pid_of b)
kill "$daemon"
wait "$daemon"
test_case "they end when it is told to" test $? = 0
test_case "all of them" eval "ends $a && ends $b && no_children"
wait "${clients[@]}"

start >start.log || note "$(<start.log)"
a=$(pid_of a) b=$(pid_of b)
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
test_case "who loses the one that watches ends, too" eval "wait_for 20 ends $a && wait_for 20 ends $b"

if [[ -e /dev/log ]]; then
	skip "in the background it reports to the system's log" "this machine has a log of its own"
else
	cleanup "rm -f /dev/log"
	python3 -u -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
while True:
	print(s.recv(1000).decode())' >syslog &
	wait_for 60 test -S /dev/log
	dmm-lwip --config lwip.conf --background
	cleanup "kill $(pid_of a) $(pid_of b)"
	daemon=$(ps -o ppid= -p "$(pid_of a)")
	cleanup "kill $daemon"
	kill -9 "$(pid_of a)"
	test_case "in the background it reports to the system's log" \
		wait_for 60 grep -qE 'dmm-lwip\[[0-9]+\]: worker a: Killed' syslog
fi
finish
