# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# TCP/IP in user space beside the kernel's: dmm-lwip in far, on an interface of its own to a LAN. nginx is the one of before; it is
# not touched. The clients, in near, are programs of the kernel.
#
#   near: 10.0.0.1, "the Internet" -- near ==== far ----- 10.0.0.2, the kernel -+- nginx :80
#         10.1.0.1, "the LAN" ------- lan ===== lanport -- 10.1.0.2, dmm-lwip ---/

build_lan() {
	ip link add lan netns dmm-near type veth peer name lanport netns dmm-far
	ip -n dmm-near addr add 10.1.0.1/24 dev lan
	ip -n dmm-near link set lan up
	ip -n dmm-far link set lanport addrgenmode none up
}

has_lan_address() {
	in_ns far dmmpolicy stack show lwip | grep -q '10\.1\.0\.2'
}

# lwip_has CONNECTIONS LISTENERS
lwip_has() {
	in_ns far dmmpolicy -s stack show lwip | grep -Eq " live $1 listeners $2 "
}

from_internet() {
	in_ns far ss -Htn state established 'sport = :80 and src 10.0.0.2' | wc -l
}

# download ADDRESS: a slow one, by process $!.
download() {
	start near curl -s --limit-rate 50K -o /dev/null "http://$1/big"
}

runs() {
	kill -0 "$1" 2>/dev/null
}

refuses() {
	in_ns near curl -s --max-time 5 -o /dev/null http://10.1.0.2/
	(($? == 7))
}

two_worlds() {
	local status=0

	build_lan
	start far dmm-lwip --port lanport --address 10.1.0.2/24
	wait_until 'dmm-lwip serves' has_lan_address
	near curl -sS http://10.1.0.2/ || status=$?
	is "the LAN without a rule: curl's exit code, connection refused" "$status" 7

	far dmmpolicy zone add lan 10.1.0.0/24
	far dmmpolicy rule add prio 90 listen tcp dst zone lan stack lwip,kernel
	wait_until 'the four servers listen on it' lwip_has 0 4
	is 'what the LAN gets' "$(near curl -sS http://10.1.0.2/)" 'hello from nginx'
	is 'what the Internet gets' "$(near curl -sS http://10.0.0.2/)" 'hello from nginx'
	is "listening sockets at port 80" "$(in_ns far dmmss -Hltn | grep -c ':80 ')" 1
}

both_at_once() {
	local before

	before=$(from_internet)
	download 10.0.0.2; internet=$!
	download 10.1.0.2; lan=$!
	wait_until 'the LAN downloads by lwIP' lwip_has 1 4
	wait_until 'the Internet downloads by the kernel' eval "((\$(from_internet) > $before))"
	far dmmss -atnp
}

switched() {
	far dmmpolicy rule del prio 90
	wait_until 'nobody listens on lwIP' lwip_has 1 0
	wait_until 'new clients from the LAN are refused' refuses
	is 'what the Internet gets' "$(near curl -sS http://10.0.0.2/)" 'hello from nginx'
	runs "$lan" || surprise 'the download of the LAN has ended'
	runs "$internet" || surprise 'the download of the Internet has ended'
	expected 'the downloads go on, for a connection is decided once'

	far dmmpolicy rule add prio 90 listen tcp dst zone lan stack lwip,kernel
	wait_until 'nginx listens on it again' lwip_has 1 4
	is 'what the LAN gets' "$(near curl -sS http://10.1.0.2/)" 'hello from nginx'
	runs "$lan" || surprise 'the download of the LAN has ended'
	far dmmpolicy -s stack show
}

step 'One nginx: the Internet by the kernel, the LAN by lwIP on DPDK'
two_worlds
step 'Both at the same time'
both_at_once
step 'A rule takes the LAN away, and gives it back'
switched
