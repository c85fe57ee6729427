#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Network namespaces: each has a policy of its own, which goes with it, and goes when the last socket has gone. That a
# namespace has gone shows in the other end of a veth pair, which the kernel removes with it:
#
#	here                 namespace
#	  $ns-0 ------------- $ns-1      lo, sockets, rules

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../load/common.sh
. "$(dirname "$0")/../load/common.sh"

((EUID == 0)) || skip_all "needs root"
[[ -e /sys/module/dmm ]] || skip_all "dmm.ko is not loaded"
start_of_log
id=dmm$$

add() {
	ip netns add "$1" &&
		ip link add "$1-0" type veth peer name "$1-1" netns "$1" &&
		ip -n "$1" link set lo up
}

gone() {
	[[ ! -e /sys/class/net/$1-0 ]]
}

# Rules, zones and sets, so that there is something to free.
fill() {
	dmmpolicy -n "$1" -f - <<-END
	zone add near 127.0.0.0/8 ::1/128
	zone add far 192.0.2.0/24 2001:db8::/32
	set add ports port { 7, 9, 1000-1999 }
	rule add prio 10 connect dst zone far reject
	rule add prio 20 connect dport set ports reject
	rule add prio 30 connect dst zone near stack kernel tos 0x10
	rule add prio 40 listen sport 5000-5100 reject
	END
}

own_policy() {
	add "$id" && fill "$id" || return
	expect 'prio 30' dmmpolicy -n "$id" rule show &&
		refuse_text 'zone (near|far)' dmmpolicy rule show &&
		refuse_text 'near|far' dmmpolicy zone show
	local status=$?
	ip netns del "$id"
	return "$status"
}

# A namespace in which everything is refused does not concern the others.
own_decisions() {
	add "$id" || return
	dmmpolicy -n "$id" rule add prio 1 reject &&
		hold dmm 4 connection && hold protocol 6 accepted &&
		refuse 'connect: Connection refused' hold ip netns exec "$id" -- dmm 4 connection &&
		refuse 'connect: Connection refused' hold ip netns exec "$id" -- protocol 6 connection &&
		refuse 'listener: Permission denied' hold ip netns exec "$id" -- dmm 6 listener &&
		alive
	local status=$?
	release
	ip netns del "$id"
	return "$status"
}

with_rules() {
	add "$id" && fill "$id" || return
	ip netns del "$id"
	wait_for 30 gone "$id"
}

# The name goes; the namespace stays as long as its sockets, which work on, and goes with them.
with_sockets() {
	local way family kind status

	add "$id" && fill "$id" || return
	for way in dmm protocol; do
		for family in 4 6; do
			for kind in undecided listener connection accepted; do
				hold ip netns exec "$id" -- "$way" "$family" "$kind" || return
			done
		done
	done
	hold ip netns exec "$id" -- dmm 4 datagram && hold ip netns exec "$id" -- dmm 6 undecided-datagram || return
	ip netns del "$id"
	alive && ! gone "$id"
	status=$?
	release
	((status == 0)) && wait_for 30 gone "$id"
}

# Sockets that nobody but a namespace holds: it was made by a process that is killed.
killed() {
	local pid

	add "$id" && fill "$id" || return
	ip netns exec "$id" dmmpolicy monitor >/dev/null &
	pid=$!
	hold ip netns exec "$id" -- dmm 4 listener && hold ip netns exec "$id" -- protocol 6 undecided || return
	ip netns del "$id"
	kill -KILL "$pid" "${held[0]##* }" "${held[1]##* }"
	wait "$pid" 2>/dev/null
	release
	wait_for 30 gone "$id"
}

# Many at once, each with rules and a socket.
many() {
	local i

	for i in {1..12}; do
		add "$id-$i" && fill "$id-$i" || return
		hold ip netns exec "$id-$i" -- dmm 4 listener || return
	done
	for i in {1..12}; do
		ip netns del "$id-$i"
	done
	alive || return
	release
	for i in {1..12}; do
		wait_for 30 gone "$id-$i" || return
	done
}

# A socket belongs to the namespace in which it was made, whoever decides it, wherever.
passed_on() {
	add "$id" && dmmpolicy -n "$id" rule add prio 1 connect reject || return
	expect 'here: connected' ns_socket here "$id" && expect 'there: Connection refused' ns_socket there "$id"
	local status=$?
	ip netns del "$id"
	return "$status"
}

# ns_socket WHERE NETNS: make a socket here or there, and connect it in the other one.
ns_socket() {
	python3 - "$@" <<-'END'
	import ctypes, os, socket, sys

	libc = ctypes.CDLL(None, use_errno=True)
	here = os.open("/proc/self/ns/net", os.O_RDONLY)
	there = os.open("/run/netns/" + sys.argv[2], os.O_RDONLY)
	af = int(open("/sys/module/dmm/parameters/af").read())

	def enter(ns):
	    if libc.setns(ns, 0):
	        raise OSError(ctypes.get_errno(), "setns")

	made, used = (here, there) if sys.argv[1] == "here" else (there, here)
	enter(made)
	server = socket.socket(socket.AF_INET)
	server.bind(("127.0.0.1", 0))
	server.listen()
	fd = libc.socket(af, socket.SOCK_STREAM, 0)
	enter(used)
	client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=fd)
	try:
	    client.connect(server.getsockname())
	    print(sys.argv[1] + ": connected")
	except OSError as e:
	    print(sys.argv[1] + ": " + e.strerror)
	END
}

test_case "a namespace has its own policy" own_policy
test_case "and decides by it" own_decisions
test_case "deleted with rules in it" with_rules
test_case "deleted with sockets in it" with_sockets
test_case "deleted while its processes are killed" killed
test_case "many at once" many
if command -v python3 >/dev/null; then
	test_case "a socket keeps its namespace" passed_on
else
	skip "a socket keeps its namespace" "no python3"
fi
test_case "the kernel has no complaint" no_complaints
finish
