# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# One server, one listener: a client of the same data centre is served by RDMA, one without RDMA by the kernel's TCP.
# rdma_rxe, RDMA in software, works in the initial namespace only: both ends are there, on the two ends of a veth pair.
#
#      10.78.0.1 -- rxe0 ==== rxe1 -- 10.78.0.2		nginx :8080
#                                     10.79.0.1 ---- 10.79.0.2, in a namespace without RDMA

# shellcheck source=selftests/rdma/net.sh
. "$here/../../selftests/rdma/net.sh"

host() {
	echo "host# $*" >&"$console"
	"$@"
}

# start_rdma INSTANCE ADDRESS: as process $!
start_rdma() {
	echo "host# dmm-rdma --instance $1 --address $2 &" >&"$console"
	dmm-rdma --instance "$1" --address "$2" --arena 64 &
	rdma_daemons+=($!)
}

instance_there() {
	dmmpolicy stack show | grep -q "^rdma@$1 .*addresses"
}

nginx_on_both() {
	dmmpolicy stack show | grep '^rdma@server ' | grep -q ' listeners 1 ' && [[ $(ss -Hltn 'sport = :8080') ]]
}

# accepts NAME: connections that the instance has brought.
accepts() {
	dmmpolicy -s stack show | grep "^rdma@$1 " | grep -oE 'accepts [0-9]+'
}

rdma_servers() {
	rdma_net_up >/dev/null 2>&1 || { surprise 'no rdma_rxe'; return; }
	ip netns add dmm-outside
	ip link add out type veth peer name in netns dmm-outside
	ip addr add 10.79.0.1/24 dev out
	ip link set out up
	ip -n dmm-outside addr add 10.79.0.2/24 dev in
	ip -n dmm-outside link set in up
	start_rdma client 10.78.0.1
	start_rdma server 10.78.0.2
	wait_until 'both instances' eval 'instance_there client && instance_there server'
	sed 1d "$here/rdma.policy"
	host dmmpolicy -f "$here/rdma.policy" || surprise 'the policy is refused'
	sed 's/listen 80;/listen 8080;/' "$dir/nginx.conf" >"$dir/rdma.conf"
	sed -i "s,nginx.pid,rdma.pid," "$dir/rdma.conf"
	host dmmrun nginx -c "$dir/rdma.conf" -e stderr & rdma_daemons+=($!)
	wait_until 'nginx listens on both' nginx_on_both
}

rdma_clients() {
	is 'what the client in the data centre gets' "$(host dmmrun curl -sS http://10.78.0.2:8080/)" 'hello from nginx'
	is 'by RDMA' "$(accepts server)" 'accepts 1'
	echo 'outside# curl http://10.79.0.1:8080/' >&"$console"
	is 'what the client without RDMA gets' \
		"$(ip netns exec dmm-outside curl -sS http://10.79.0.1:8080/)" 'hello from nginx'
	is 'by TCP' "$(accepts server)" 'accepts 1'
	is 'listening sockets at port 8080' "$(dmmss -Hltn | grep -c ':8080 ')" 1
	host dmmpolicy -s stack show
}

rdma_end() {
	kill "${rdma_daemons[@]}"
	wait "${rdma_daemons[@]}" 2>/dev/null
	dmmpolicy flush all
	ip netns del dmm-outside
	rdma_net_down 2>/dev/null
}

step 'RDMA and TCP: one listener, the client decides'
rdma_daemons=()
if [[ -d /run/vm ]] && type -P dmm-rdma >/dev/null; then
	rdma_servers
	rdma_clients
	rdma_end
else
	echo 'only in the VM, and with dmm-rdma built: left out'
fi
