# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# The kernel's stack, with options by policy.

# The connections in near that match a filter of ss, one line each.
connections() {
	in_ns near ss -Htino --tos state established "$1"
}

connected() {
	[[ $(connections "$1") ]]
}

# What all connections that match have; more than one value if they differ.
congestion_control() {
	connections "$1" | grep -owE 'bbr|cubic|reno' | sort -u | paste -sd' '
}

tos() {
	connections "$1" | grep -oE 'tos:[x0-9a-f]+' | sort -u | paste -sd' '
}

bytes_acked() {
	connections "$1" | grep -oE 'bytes_acked:[0-9]+' | cut -d: -f2 | sort -n | tail -n 1
}

sent_more() {
	(($(bytes_acked "$1") > $2))
}

# policy_stat near|far NAME
policy_stat() {
	in_ns "$1" dmmpolicy stat | sed -n "s/^$2 //p"
}

hits() {
	in_ns near dmmpolicy -s rule show | sed -nE "s/.* prio $1 .* hits ([0-9]+).*/\1/p"
}

start_servers() {
	write_nginx_conf
	start far dmmrun nginx -c "$dir/nginx.conf" -e stderr
	start far dmmrun redis-server --bind 0.0.0.0 --protected-mode no --save '' >"$dir/redis.log"
	start far dmmrun iperf3 -s -p 5201 >"$dir/iperf3.5201" 2>&1
	start far dmmrun iperf3 -s -p 5202 >"$dir/iperf3.5202" 2>&1
	wait_until 'four servers listen' listening 80 6379 5201 5202
	far dmmss -lnp
	is "listening sockets that DMM holds" "$(policy_stat far listeners)" 4
}

load_policy() {
	sed 1d near.policy
	near dmmpolicy -f near.policy || surprise 'the policy is refused'
	is 'rules' "$(in_ns near dmmpolicy rule show | grep -c '^id')" 5
}

by_user() {
	local status=0

	near dmmrun setpriv --reuid www-data --clear-groups curl -sS http://10.0.0.2/ || status=$?
	is "curl's exit code, connection refused" "$status" 7
	is 'hits of rule 50' "$(hits 50)" 1
	near dmmrun curl -sS http://10.0.0.2/ || surprise "curl failed for root: $?"
	is 'hits of rule 100' "$(hits 100)" 1
}

by_zone_and_port() {
	start near dmmrun curl -s --limit-rate 50K -o /dev/null http://10.0.0.2/big
	wait_until 'curl downloads' connected 'dport = :80'
	near ss -tin state established 'dport = :80'
	is 'congestion control that ss shows' "$(congestion_control 'dport = :80')" bbr
}

by_port() {
	near dmmrun redis-cli -h 172.20.0.2 set greeting hello
	is 'what redis has' "$(near dmmrun redis-cli -h 172.20.0.2 get greeting)" hello
	start near dmmrun redis-cli -h 10.0.0.2 subscribe news >"$dir/news"
	wait_until 'redis-cli subscribes' grep -q subscribe "$dir/news"
	is 'type of service' "$(tos 'dport = :6379')" tos:0x10
	is 'hits of rule 200' "$(hits 200)" 3
}

by_cgroup() {
	mkdir -p "$backup"
	start near sh -c "echo \$\$ >$backup/cgroup.procs; exec dmmrun curl -s --limit-rate 50K -o /dev/null http://172.20.0.2/big"
	wait_until 'the backup runs' connected 'dst 172.20.0.2 and dport = :80'
	is 'type of service' "$(tos 'dst 172.20.0.2 and dport = :80')" tos:0x8
	is 'hits of rule 60' "$(hits 60)" 1
}

live_change() {
	local first second sent gen

	start near dmmrun iperf3 -c 172.20.0.2 -p 5201 -b 50M -t 0 >"$dir/first"; first=$!
	wait_until 'the first iperf3 sends' connected 'dport = :5201'
	is 'its congestion control' "$(congestion_control 'dport = :5201')" cubic

	sent=$(bytes_acked 'dport = :5201')
	gen=$(policy_stat near gen)
	sed 1d change.policy
	near dmmpolicy -f change.policy || surprise 'the change is refused'
	is 'generations of the policy since' "$(($(policy_stat near gen) - gen))" 1

	start near dmmrun iperf3 -c 172.20.0.2 -p 5202 -b 50M -t 0 >"$dir/second"; second=$!
	wait_until 'the second iperf3 sends' connected 'dport = :5202'
	is 'congestion control of the first, decided before' "$(congestion_control 'dport = :5201')" cubic
	is 'congestion control of the second' "$(congestion_control 'dport = :5202')" bbr
	wait_until 'the first sends on' sent_more 'dport = :5201' "$sent"
	wait_until 'the second sends on' sent_more 'dport = :5202' 1000000
	is 'hits of the new rule 400, two connections of iperf3' "$(hits 400)" 2

	step 'Socket, rule, stack, reason'
	near dmmss -arnp
	far dmmss -an

	kill "$first" "$second"
	wait "$first" "$second"
	grep -h sender "$dir/first" "$dir/second"
}

counters() {
	near dmmpolicy -s rule show
	near dmmss -s
}


step 'Servers, started by dmmrun'
start_servers
step 'A policy, loaded in one transaction'
load_policy
step 'By user: one is rejected, another is not'
by_user
step 'By zone and port: web servers of this site get BBR'
by_zone_and_port
step 'By port: redis'
by_port
step 'By cgroup: a backup, which rule 60 takes before rule 400'
by_cgroup
step 'A rule changes while traffic flows'
live_change
step 'What the rules did'
counters
