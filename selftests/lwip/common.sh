# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests vm/lwip*.sh share: dmm-lwip at one end of a veth pair, and the kernel at the other.
#
#   programs under dmmrun -- dmm-lwip 10.77.0.2, fd77::2 -- near ==== far -- 10.77.0.1, fd77::1: the kernel
#
# The kernel has no address on "near", so nothing but lwIP can be at work there. "${far[@]}" COMMAND runs a command at
# the other end.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

needs_stack dmm-lwip

# shellcheck disable=SC2034 # for the tests
here=$(dirname "$(readlink -f "$0")")
own_dir
cleanup "kill \$(jobs -p; cat $dir/servers)"

# The other end.
new_namespace
other=$ns far=(nsenter -t "$ns" -n)

ip link set lo up
wait_for 20 ip link add near type veth peer name far netns "$other"
ip link set near addrgenmode none up
"${far[@]}" ip link set far up
"${far[@]}" ip addr add 10.77.0.1/24 dev far
"${far[@]}" ip addr add fd77::1/64 dev far nodad

# kernel_pair: a second pair, 10.78.0.2, fd78::2 -- near2 ==== far2 -- 10.78.0.1, fd78::1, with the kernel at both ends.
kernel_pair() {
	ip link add near2 type veth peer name far2 netns "$other"
	ip link set near2 up
	ip addr add 10.78.0.2/24 dev near2
	ip addr add fd78::2/64 dev near2 nodad
	"${far[@]}" ip link set far2 up
	"${far[@]}" ip addr add 10.78.0.1/24 dev far2
	"${far[@]}" ip addr add fd78::1/64 dev far2 nodad
}

lwip=(dmm-lwip --port near --address 10.77.0.2/24 --address fd77::2/64)

registered() {
	dmmpolicy stack show | grep -q '10\.77\.0\.2'
}

gone() {
	! registered
}

registered_or_dead() {
	registered || ! kill -0 "$daemon"
}

# start: the daemon, by the command in "lwip"; $daemon is its process.
start() {
	"${lwip[@]}" >lwip.log 2>&1 &
	daemon=$!
	wait_for 60 registered_or_dead
	registered || { cat lwip.log; return 1; }
}

kill_daemon() {
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
	wait_for 60 gone
}

# serve LOG PATTERN COMMAND...: a server that prints PATTERN when it is ready. Its process is $server.
serve() {
	"${@:3}" >"$1" 2>&1 &
	server=$!
	# Not a job of the script: a case is a shell of its own.
	echo $server >>servers
	wait_for 120 grep -q "$2" "$1" || { cat "$1"; return 1; }
}

# fetch COMMAND... URL: what curl gets is what is served.
fetch() {
	rm -f got
	"${@:1:$#-1}" curl -gsS --max-time 120 -o got "${!#}" && cmp data got
}

# bad_network NETEM_OPTION...: both directions of the pair.
bad_network() {
	tc qdisc replace dev near root netem limit 10000 "$@" &&
		"${far[@]}" tc qdisc replace dev far root netem limit 10000 "$@"
}

good_network() {
	tc qdisc del dev near root
	"${far[@]}" tc qdisc del dev far root
}
