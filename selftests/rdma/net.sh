# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Two RDMA devices in software (rdma_rxe) for tests, on the two ends of a veth pair:
#
#   10.78.0.1, fd78::1 -- rxe0 -- v0 ==== v1 -- rxe1 -- 10.78.0.2, fd78::2
#
# rdma_rxe works in the initial namespace only, so both ends are in it, and rules send what goes from one to the other over
# the wire instead of through the loopback. Needs the VM: it changes the machine's routing.

# rdma_needs DAEMON: skip all where it, the devices, or the freedom to change routing are not there.
rdma_needs() {
	needs_stack "$1"
	[[ -d /run/vm ]] || skip_all "changes the routing of the machine: only in the VM"
	has_module rdma_rxe || skip_all "the kernel has no rdma_rxe"
}

rdma_modules() {
	modprobe rdma_rxe && modprobe rdma_ucm && modprobe ib_uverbs
}

# rdma_link_up: with it what the kernel forgets when a link goes down.
rdma_link_up() {
	local i j mac

	for i in 0 1; do
		j=$((1 - i))
		# Nobody learns the other's from packets that come from an address of this machine.
		mac=$(<"/sys/class/net/v$j/address")
		ip link set "v$i" up
		ip addr replace "fd78::$((i + 1))/64" dev "v$i" nodad
		ip neigh replace "10.78.0.$((j + 1))" lladdr "$mac" dev "v$i"
		ip -6 neigh replace "fd78::$((j + 1))" lladdr "$mac" dev "v$i"
		ip route replace "10.78.0.$((j + 1))" dev "v$i" src "10.78.0.$((i + 1))" table $((100 + i))
		ip -6 route replace "fd78::$((j + 1))" dev "v$i" src "fd78::$((i + 1))" table $((100 + i))
	done
}

rdma_devices_up() {
	rdma link add rxe0 type rxe netdev v0 && rdma link add rxe1 type rxe netdev v1
}

rdma_net_up() {
	local i j v

	rdma_modules || return
	ip link add v0 type veth peer name v1 || return
	for i in 0 1; do
		sysctl -q "net.ipv4.conf.v$i.rp_filter=0" "net.ipv4.conf.v$i.accept_local=1" \
			"net.ipv6.conf.v$i.accept_dad=0"
		ip link set "v$i" mtu 4200
		ip addr add "10.78.0.$((i + 1))/24" dev "v$i"
		for v in 4 6; do
			ip -$v rule add pref $((10 + i)) iif "v$i" lookup local
		done
	done
	sysctl -q net.ipv4.conf.all.rp_filter=0
	rdma_link_up
	for i in 0 1; do
		j=$((1 - i))
		ip rule add pref $((20 + i)) from "10.78.0.$((i + 1))" to "10.78.0.$((j + 1))" lookup $((100 + i))
		ip -6 rule add pref $((20 + i)) from "fd78::$((i + 1))" to "fd78::$((j + 1))" lookup $((100 + i))
	done
	for v in 4 6; do
		ip -$v rule add pref 1000 lookup local
		ip -$v rule del pref 0
	done
	rdma_devices_up
}

# Whoever uses the devices has ended by then: rdma_rxe waits for them, some of whom would wait for it.
rdma_net_down() {
	local i v

	for v in 4 6; do
		ip -$v rule add pref 0 lookup local
		for i in 10 11 20 21 1000; do
			ip -$v rule del pref $i
		done
	done
	ip link del v0
}

none_runs() {
	[[ ! $(jobs -rp) ]]
}

# rdma_end_jobs: what the test has started, and what that has: servers end their children when they are asked to end.
rdma_end_jobs() {
	jobs -p | xargs -r kill
	jobs -p | xargs -r kill -CONT
	wait_for 10 none_runs || jobs -p | xargs -r kill -9
	wait
}

# rdma_start INSTANCE NUMBER [OPTION]...: a daemon at the address of rxe NUMBER; its process is in rdma_pids[INSTANCE], what
# it prints in INSTANCE.log.
declare -A rdma_pids=()

rdma_start() {
	local instance=$1 address=$(($2 + 1))
	shift 2

	dmm-rdma --address "10.78.0.$address" --address "fd78::$address" --instance "$instance" "$@" \
		2>"$instance.log" &
	rdma_pids[$instance]=$!
	wait_for 60 rdma_is_there "$instance" || { cat "$instance.log"; return 1; }
}

# Its addresses come last.
rdma_is_there() {
	dmmpolicy stack show | grep "^rdma@$1 " | grep -q 'addresses .*fd78::'
}

rdma_stop() {
	kill "${rdma_pids[$1]}" && wait "${rdma_pids[$1]}"
}

# rdma_counter INSTANCE NAME: one of its counters.
rdma_counter() {
	local before

	before=$(grep -c '^dmm-rdma: connected' "$1.log")
	kill -USR1 "${rdma_pids[$1]}"
	wait_for 20 eval "((\$(grep -c '^dmm-rdma: connected' $1.log) > $before))" >/dev/null
	grep '^dmm-rdma: connected' "$1.log" | tail -n 1 | grep -o "$2 [0-9]*" | grep -o '[0-9]*$'
}

# rdma_listens INSTANCE N: it has so many listeners.
rdma_listens() {
	dmmpolicy stack show | grep "^rdma@$1 " | grep -q " listeners $2 "
}

# rdma_renew: other devices on the same link.
rdma_renew() {
	rdma link del rxe0
	rdma link del rxe1
	rdma_devices_up
}
