#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.1
#
# Client and server, each on the kernel's stack and on lwIP, TCP and UDP, IPv4 and IPv6, and a proxy between the two stacks: the
# cases of the DMM that was before this one. One wire, and two stacks at each of its ends:
#
#   this namespace: the kernel 10.77.0.4, fd77::4 -+- near ==== far -+- 10.77.0.1, fd77::1: the kernel
#                   dmm-lwip   10.77.0.2, fd77::2 -/                 \- 10.77.0.3, fd77::3: dmm-lwip

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

needs_stack dmm-lwip

talk=$DMM_BUILD/selftests/bin/talk
own_dir
cleanup "jobs -p | xargs -r kill"

new_namespace
other=$ns far=(nsenter -t "$ns" -n)

ip link set lo up
wait_for 20 ip link add near type veth peer name far netns "$other"
ip link set near addrgenmode none up
ip addr add 10.77.0.4/24 dev near
ip addr add fd77::4/64 dev near nodad
"${far[@]}" ip link set far addrgenmode none up
"${far[@]}" ip addr add 10.77.0.1/24 dev far
"${far[@]}" ip addr add fd77::1/64 dev far nodad

dmm-lwip --port near --address 10.77.0.2/24 --address fd77::2/64 >near.log 2>&1 &
"${far[@]}" dmm-lwip --port far --address 10.77.0.3/24 --address fd77::3/64 >far.log 2>&1 &
wait_for 60 eval "dmmpolicy stack show | grep -q 'fd77::2'" || note "$(<near.log)"
wait_for 60 eval "${far[*]} dmmpolicy stack show | grep -q 'fd77::3'" || note "$(<far.log)"

# One listener for both stacks; a datagram socket has one.
"${far[@]}" dmmpolicy rule add listen tcp stack lwip,kernel
"${far[@]}" dmmpolicy rule add listen udp sport 7003 stack lwip strict
dmmpolicy rule add prio 90 connect dst 127.0.0.0/8 stack kernel
dmmpolicy rule add prio 90 listen tcp sport 8002 stack lwip,kernel

# server LOG COMMAND...: says when it is ready.
server() {
	"${far[@]}" dmmrun --dgram "$talk" serve "${@:2}" >"$1" &
	wait_for 60 grep -q ready "$1" || note "$* is not ready"
}

server tcp.log tcp 7001
server udp1.log udp 7001
server udp3.log udp 7003

# clients kernel|lwip: of which stack they are from now on.
clients() {
	dmmpolicy rule del prio 100 2>/dev/null
	[[ $1 == kernel ]] || dmmpolicy rule add prio 100 connect stack lwip strict
}

# What the stack has heard, of datagram sockets, too.
heard() {
	dmmpolicy -s stack show lwip | grep -oE 'events-down [0-9]+'
}

# ask CLIENT TYPE ADDRESS PORT: the client's stack must be the one that it shall be.
ask() {
	local before after

	before=$(heard)
	dmmrun --dgram "$talk" ask "$2" "$3" "$4" 5 10 1000 || return
	after=$(heard)
	echo "$before, then $after"
	if [[ $1 == kernel ]]; then
		[[ $before == "$after" ]]
	else
		[[ $before != "$after" ]]
	fi
}

both_at_once() {
	local kernel lwip status=0

	dmmrun --dgram "$talk" ask tcp 10.77.0.1 7001 20 20 5000 & kernel=$!
	dmmrun --dgram "$talk" ask tcp fd77::3 7001 20 20 5000 & lwip=$!
	wait "$kernel" || status=1
	wait "$lwip" || status=1
	return "$status"
}

# proxy PORT ADDRESS: from what listens here to the server there.
proxy() {
	cat >"proxy$1.cfg" <<-END
	defaults
	    mode tcp
	    timeout connect 30s
	    timeout client 60s
	    timeout server 60s
	listen through
	    bind :::$1 v4v6
	    server there $2:7001
	END
	dmmrun haproxy -db -f "proxy$1.cfg" >"proxy$1.log" 2>&1 &
	wait_for 60 eval "[[ \$(ss -Hltn 'sport = :$1') ]]" || note "$(<"proxy$1.log")"
}

for client in kernel lwip; do
	clients "$client"
	for server in 1 3; do
		stack=$([[ $server == 1 ]] && echo kernel || echo lwip)
		for at in "10.77.0.$server" "fd77::$server"; do
			test_case "$client to $stack, tcp, $at" ask "$client" tcp "$at" 7001
			test_case "$client to $stack, udp, $at" ask "$client" udp "$at" "700$server"
		done
	done
done
test_case "one server, clients of both stacks at once" both_at_once

# What connects from here goes by lwIP, except within the host.
proxy 8001 10.77.0.1
test_case "proxy: the kernel's client, lwIP to the server" eval "clients lwip && ask lwip tcp 127.0.0.1 8001"
clients kernel
proxy 8002 10.77.0.1
test_case "proxy: lwIP's client, the kernel to the server" "${far[@]}" "$talk" ask tcp 10.77.0.2 8002 5 10 1000
clients lwip
test_case "proxy: lwIP on both sides" "${far[@]}" "$talk" ask tcp fd77::2 8002 5 10 1000
finish
