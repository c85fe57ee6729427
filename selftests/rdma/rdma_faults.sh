#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 900
#
# Faults under connections of dmm-rdma: whatever breaks, each end hears of it, in time, or the next stack of the rule serves
# it. And a peer that does not keep to the protocol. Costs two minutes.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/rdma/net.sh
. "$(dirname "$0")/../rdma/net.sh"

rdma_needs dmm-rdma

own_dir
cleanup "dmmpolicy flush all"
cleanup rdma_net_down
cleanup rdma_end_jobs

rdma_net_up >net.log 2>&1 || { not_ok "two devices"; note "$(<net.log)"; finish; }

readonly econnreset=104 etimedout=110
# Milliseconds: of a fault that can be seen, which are 250, and of a peer that is silent, and what emulation adds to both:
# the kernel alone takes as long to take apart what a daemon had that is killed.
readonly soon=1000 silence=2000 silent=3000

start_both() {
	rdma_start a 0 --silence $silence --connect-timeout 1000 --linger 3000 || note "$(<a.log)"
	rdma_start b 1 --silence $silence --connect-timeout 1000 --linger 3000 || note "$(<b.log)"
}

# again INSTANCE NUMBER: it has gone; another one.
again() {
	kill -9 "${rdma_pids[$1]}" 2>/dev/null
	wait "${rdma_pids[$1]}" 2>/dev/null
	wait_for 20 eval "! dmmpolicy stack show | grep -q '^rdma@$1 '" >/dev/null
	rdma_start "$1" "$2" --silence $silence --connect-timeout 1000 --linger 3000
}

# Clients on a, servers on b.
only_rdma() {
	dmmpolicy flush all
	dmmpolicy rule add prio 1 connect tcp stack rdma@a strict
	dmmpolicy rule add prio 2 listen tcp stack rdma@b strict
}

# After packets were lost where they were to be sent, the management queue pair of rdma_rxe sends nothing more, in 6.12 at
# least, and nobody can connect through this device any more, rping as little as dmm-rdma: other devices.
renew() {
	kill -9 "${rdma_pids[@]}" 2>/dev/null
	wait "${rdma_pids[@]}" 2>/dev/null
	rdma_renew
	start_both
}

fault=(rdma-fault -a 10.78.0.2)
start_both
only_rdma

test_case "the peer's daemon is killed" \
	"${fault[@]}" -n 8 -e $econnreset -t $soon "kill -9 ${rdma_pids[b]}"
again b 1
test_case "another takes its place" rdma_is_there b
test_case "the own daemon is killed" \
	"${fault[@]}" -n 8 -e $econnreset -t $soon "kill -9 ${rdma_pids[a]}"
again a 0
test_case "another takes its place" rdma_is_there a
test_case "idle connections, the peer's daemon is killed" \
	"${fault[@]}" -i -n 8 -e $econnreset -t $soon "kill -9 ${rdma_pids[b]}"
again b 1

test_case "the peer's daemon stands still" \
	"${fault[@]}" -c -n 4 -e $etimedout -t $silent "kill -STOP ${rdma_pids[b]}"
kill -CONT "${rdma_pids[b]}"
test_case "and goes on" "${fault[@]}" -n 2 -e $econnreset -t $soon "kill -9 ${rdma_pids[b]}"
again b 1

# The device does not see it.
cat >lose <<'END'
qdisc add dev v0 root netem loss 100%
qdisc add dev v1 root netem loss 100%
END
find_again() {
	tc qdisc del dev v0 root
	tc qdisc del dev v1 root
}
modprobe sch_netem
test_case "no packet arrives" "${fault[@]}" -n 4 -e $etimedout -t $silent "tc -batch lose"
find_again
renew
test_case "no packet arrives, idle connections" "${fault[@]}" -i -n 4 -e $etimedout -t $silent "tc -batch lose"
test_case "silent peers were counted" test "$(rdma_counter a "peer silent")" -ge 4
find_again
renew

for round in 1 2 3; do
	test_case "the link is down ($round)" "${fault[@]}" -n 4 -e $econnreset -t $soon "ip link set v1 down"
	test_case "which was counted ($round)" \
		test $(($(rdma_counter a "link down") + $(rdma_counter b "link down"))) -ge 1
	rdma_link_up
	test_case "it is up ($round)" "${fault[@]}" -n 4 -e $econnreset -t $soon "kill -9 ${rdma_pids[a]}"
	again a 0
done

test_case "the device is removed" "${fault[@]}" -n 4 -e $econnreset -t $soon "rdma link del rxe1"
test_case "and the daemon ends" wait_for 10 eval "! kill -0 ${rdma_pids[b]}"
rdma link add rxe1 type rxe netdev v1
again b 1
test_case "with a new device another starts" rdma_is_there b

# Connections by the kernel, for those that do not come about by rdma.
or_kernel() {
	dmmpolicy flush all
	dmmpolicy rule add prio 1 connect tcp stack rdma@a,kernel
	dmmpolicy rule add prio 2 listen tcp stack rdma@b,kernel
}

# A server that both stacks serve, and a peer without RDMA.
or_kernel
head -c 200000 /dev/urandom >data
dmmrun python3 -u -m http.server --bind :: 8000 >server.log 2>&1 &
wait_for 60 rdma_listens b 1 >/dev/null

fetch() {
	rm -f got
	dmmrun curl -gsS --max-time 30 -o got "$1" && cmp data got
}
# accepted N: so many of b's connections since the last time.
accepted() {
	local all before=$accepts

	all=$(dmmpolicy -s stack show | grep '^rdma@b ' | grep -o 'accepts [0-9]*' | grep -o '[0-9]*$')
	accepts=$all
	((all - before == $1)) || { echo "$((all - before))"; return 1; }
}
accepts=0
test_case "by rdma" fetch http://10.78.0.2:8000/data
accepted 1 >/dev/null; test_case "which served it" test $? = 0
dmmpolicy rule add prio 0 connect tcp dport 8000 stack kernel
test_case "by the kernel, when the policy says so" fetch http://10.78.0.2:8000/data
accepted 0 >/dev/null; test_case "which served it" test $? = 0
dmmpolicy rule del prio 0
test_case "and by rdma again" fetch http://10.78.0.2:8000/data
accepted 1 >/dev/null; test_case "which served it" test $? = 0

only_rdma
test_case "connections go on when the policy changes" expect 'Connection reset by peer after' \
	"${fault[@]}" -n 4 -e $econnreset -t $soon \
	"dmmpolicy rule add prio 0 connect tcp stack kernel && sleep 1 && kill -9 ${rdma_pids[a]}"
again a 0
or_kernel

kill "${rdma_pids[b]}"
test_case "a peer without RDMA: the kernel's TCP serves it" fetch http://10.78.0.2:8000/data
again b 1
wait_for 60 rdma_listens b 1 >/dev/null

# Only b is asked to be hostile to, while others go on.
only_rdma
rdma-fault -a 10.78.0.2 -n 4 -e $econnreset -t $soon "touch flowing; until [ -e over ]; do sleep 0.1; done; kill -9 ${rdma_pids[a]}" \
	>others.log 2>&1 &
others=$!
wait_for 60 test -e flowing >/dev/null
test_case "a peer that is hostile" rdma-hostile 10.78.0.1 10.78.0.2 8000
test_case "is counted" test "$(rdma_counter b protocol)" -ge 15
touch over
wait "$others"
test_case "others went on beside it" test $? = 0
again a 0
test_case "and it serves" fetch http://10.78.0.2:8000/data
finish
