#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.1
#
# dmm-lwip behind a router: addresses by DHCP and router advertisements from a real server, gateways and routes, ping, and a
# link on the way that is smaller than both ends believe.
#
#   this namespace: programs under dmmrun     namespace "router": the kernel forwards; dnsmasq       namespace "far"
#   dmm-lwip -- near ==== r0 -- 10.77.0.1, fd77::1     10.88.0.1, fd88::1 -- r1 ==== far -- 10.88.0.2, fd88::2

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

needs_stack dmm-lwip
command -v dnsmasq >/dev/null || skip_all "dnsmasq is not installed"

own_dir
cleanup "{ jobs -p; cat $dir/servers; } | xargs -r kill"

# address COMMAND... ADDRESS DEVICE
address() {
	"${@:1:$#-2}" ip addr add "${@: -2:1}" dev "${@: -1}"
}

new_namespace
r=$ns router=(nsenter -t "$ns" -n)
new_namespace
f=$ns far=(nsenter -t "$ns" -n)
ip link set lo up
wait_for 20 ip link add near type veth peer name r0 netns "$r"
# Otherwise the kernel would have the address that the stack derives from an advertisement.
sysctl -q net.ipv6.conf.near.disable_ipv6=1
ip link set near up
"${router[@]}" ip link add r1 type veth peer name far netns "$f"
"${router[@]}" sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
"${router[@]}" sysctl -q net.ipv6.conf.r0.accept_dad=0 net.ipv6.conf.r1.accept_dad=0
"${far[@]}" sysctl -q net.ipv6.conf.far.accept_dad=0
"${router[@]}" ip link set r0 up
"${router[@]}" ip link set r1 up
"${far[@]}" ip link set far up
address "${router[@]}" 10.77.0.1/24 r0
address "${router[@]}" fd77::1/64 r0
address "${router[@]}" 10.88.0.1/24 r1
address "${router[@]}" fd88::1/64 r1
address "${far[@]}" 10.88.0.2/24 far
address "${far[@]}" fd88::2/64 far
# The smaller link: only in this direction, and only the router knows.
"${router[@]}" ip route change 10.88.0.0/24 dev r1 mtu lock 1300
"${router[@]}" ip -6 route change fd88::/64 dev r1 proto kernel metric 256 mtu lock 1300
"${far[@]}" ip route add default via 10.88.0.1
"${far[@]}" ip -6 route add default via fd88::1

serve_addresses() {
	"${router[@]}" dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --port=0 --interface=r0 --bind-interfaces \
		--pid-file --dhcp-leasefile="$dir/leases" --dhcp-authoritative --dhcp-range=10.77.0.100,10.77.0.100,2m \
		--dhcp-range=fd77::,ra-only,64 --enable-ra --dhcp-option=option:router,10.77.0.1 --log-dhcp --log-facility=- \
		>dnsmasq.log 2>&1 &
	wait_for 60 grep -q 'DHCP, IP range' dnsmasq.log
}

has() {
	dmmpolicy stack show | grep -q "$1"
}

start() {
	dmm-lwip --port near "$@" >lwip.log 2>&1 &
	daemon=$!
}

stop() {
	kill "$daemon"
	wait "$daemon"
}

# The address that the stack has made from an advertisement.
autoconf() {
	dmmpolicy stack show | grep -oE 'fd77:[0-9a-f:]+' | head -n 1
}

has_autoconf() {
	[[ $(autoconf) ]]
}

# serve LOG PORT COMMAND...: a server that says when it is ready.
serve() {
	"${@:3}" python3 -u -m http.server --bind :: "$2" >"$1" 2>&1 &
	echo $! >>servers
	wait_for 120 grep -q "Serving HTTP" "$1" || { cat "$1"; return 1; }
}

# fetch COMMAND... URL: what curl gets is what is served.
fetch() {
	rm -f got
	"${@:1:$#-1}" curl -gsS --max-time 120 -o got "${!#}" && cmp data got
}

unreachable() {
	refuse 'curl: \(7\).* after [0-9]{1,3} ms' dmmrun curl -gsS --max-time 60 "$1"
}

pings() {
	"${far[@]}" busybox ping -c 3 -W 5 "$@"
}

: >servers
head -c 300000 /dev/urandom >data
dmmpolicy rule add tcp stack lwip strict

test_case "a server of addresses" serve_addresses
start --dhcp --autoconf
test_case "an address by DHCP" wait_for 60 has '10\.77\.0\.100'
test_case "the server knows it" grep -q 10.77.0.100 leases
test_case "an address by router advertisement" wait_for 60 has_autoconf
test_case "a server beyond the router" serve far.log 8000 "${far[@]}"
test_case "by the gateway that DHCP has told" fetch dmmrun "http://10.88.0.2:8000/data"
test_case "by the router that has advertised itself" fetch dmmrun "http://[fd88::2]:8000/data"
test_case "ping" pings 10.77.0.100
test_case "ping of IPv6" pings "$(autoconf)"
test_case "ping with 4000 bytes, in fragments" pings -s 4000 10.77.0.100
test_case "ping of IPv6 with 4000 bytes" pings -s 4000 "$(autoconf)"
test_case "a server on lwIP" serve near.log 8001 dmmrun
test_case "large segments to a smaller link: the router makes fragments" fetch "${far[@]}" "http://10.77.0.100:8001/data"
test_case "by IPv6: it says what is too big" fetch "${far[@]}" "http://[$(autoconf)]:8001/data"
stop
test_case "it ends when it is told to" test $? = 0
test_case "and gives back its address" wait_for 20 eval '! grep -q 10.77.0.100 leases'

start --address 10.77.0.2/24 --address fd77::2/64 --route "10.88.0.0/24 via 10.77.0.1" --route "fd88::/64 via fd77::1"
test_case "addresses that are given" wait_for 60 has '10\.77\.0\.2'
test_case "a route" fetch dmmrun "http://10.88.0.2:8000/data"
test_case "a route of IPv6" fetch dmmrun "http://[fd88::2]:8000/data"
test_case "where there is none" unreachable "http://10.99.0.1:8000/data"
test_case "of IPv6 neither" unreachable "http://[fd99::1]:8000/data"
stop
start --address 10.77.0.2/24 --address fd77::2/64 --gateway 10.77.0.1 --gateway fd77::1 --route "10.88.0.2/32 via 10.77.0.77"
test_case "gateways" wait_for 60 has '10\.77\.0\.2'
test_case "that of IPv6 is used" fetch dmmrun "http://[fd88::2]:8000/data"
test_case "before that of IPv4 comes the longer prefix, where nobody is" refuse '' dmmrun curl -gsS --max-time 60 http://10.88.0.2:8000/
stop
finish
