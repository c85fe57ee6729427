#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
#
# dmm-lwip against the kernel's TCP at the other end of a veth pair, by unmodified programs:
#
#   this namespace: programs under dmmrun -- dmm-lwip 10.77.0.2, fd77::2 -- near ==== far -- 10.77.0.1, fd77::1: the kernel
#
# The kernel has no address on "near", so nothing but lwIP can be at work.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

((EUID == 0)) || skip_all "needs root"
[[ -c /dev/dmm ]] || skip_all "/dev/dmm is not there"
command -v dmm-lwip >/dev/null || skip_all "dmm-lwip was not built"

conformance=$(dirname "$(readlink -f "$0")")/../stack/conformance
dir=$(mktemp -d)
cleanup "rm -rf $dir"
cleanup "{ jobs -p; cat $dir/servers; } | xargs -r kill"
cd "$dir" || exit

# Another namespace, held by a process that ends with the test.
unshare -n sleep infinity &
other=$!
wait_for 20 test "$(readlink /proc/self/ns/net)" != "\$(readlink /proc/$other/ns/net)"
far=(nsenter -t "$other" -n)

ip link set lo up
wait_for 20 ip link add near type veth peer name far netns "$other"
ip link set near addrgenmode none up
# The kernel takes only its own addresses for bind(), unless it is told otherwise.
sysctl -q net.ipv4.ip_nonlocal_bind=1 net.ipv6.ip_nonlocal_bind=1
"${far[@]}" ip link set lo up
"${far[@]}" ip link set far up
"${far[@]}" ip addr add 10.77.0.1/24 dev far
"${far[@]}" ip addr add fd77::1/64 dev far nodad

lwip=(dmm-lwip --port near --address 10.77.0.2/24 --address fd77::2/64)

registered() {
	dmmpolicy stack show | grep -q '10\.77\.0\.2'
}

gone() {
	! registered
}

start() {
	"${lwip[@]}" >lwip.log 2>&1 &
	daemon=$!
	wait_for 60 registered || { cat lwip.log; return 1; }
}

# serve LOG COMMAND...: a server that says when it is ready.
serve() {
	"${@:2}" >"$1" 2>&1 &
	# Not a job of the script: a case is a shell of its own.
	echo $! >>servers
	wait_for 120 grep -q "Serving HTTP" "$1" || { cat "$1"; return 1; }
}

# fetch COMMAND...: what curl gets is what is served.
fetch() {
	rm -f got
	"${@:1:$#-1}" curl -gsS --max-time 120 -o got "${!#}" && cmp data got
}

bad() {
	echo "$2" >bad.conf
	refuse "bad.conf:$1" dmm-lwip --config bad.conf --check
}

test_case "a configuration" dmm-lwip --check --port near --address 10.0.0.1/24 --route "10.1.0.0/16 via 10.0.0.2"
test_case "one that is wrong, by file and line" bad 3 $'# comment\nport near\nadress 10.0.0.1/24'
test_case "a number that is none" bad 2 $'port near\nmtu many\n'
test_case "an address before any port" bad 1 "address 10.0.0.1/24"

# With its options, from which dmmpolicy knows the addresses.
start >start.log || note "$(<start.log)"
test_case "the kernel knows its addresses" expect 'lwip@.*10\.77\.0\.2,fd77::2' dmmpolicy stack show
dmmpolicy rule add tcp stack lwip strict

head -c 2000000 /dev/urandom >data
test_case "a server on the kernel" serve far.log "${far[@]}" python3 -u -m http.server --bind :: 8000
test_case "curl from lwIP" fetch dmmrun "http://10.77.0.1:8000/data"
test_case "by IPv6" fetch dmmrun "http://[fd77::1]:8000/data"
test_case "a server on lwIP" serve near.log dmmrun python3 -u -m http.server --bind :: 8001
test_case "curl from the kernel" fetch "${far[@]}" "http://10.77.0.2:8001/data"
test_case "by IPv6" fetch "${far[@]}" "http://[fd77::2]:8001/data"

"${far[@]}" tc qdisc add dev far root netem delay 2ms loss 2% reorder 5% 2>netem.log ||
	note "no netem: $(<netem.log)"
test_case "with loss, delay and reordering, to the kernel" fetch "${far[@]}" "http://10.77.0.2:8001/data"
test_case "and from it" fetch dmmrun "http://10.77.0.1:8000/data"
"${far[@]}" tc qdisc del dev far root

"${far[@]}" redis-server --bind 10.77.0.1 --protected-mode no --save '' >redis.log 2>&1 &
wait_for 60 "${far[@]}" redis-cli -h 10.77.0.1 ping
test_case "redis-benchmark from lwIP" expect 'GET: [0-9.]+ requests' \
	dmmrun redis-benchmark -h 10.77.0.1 -q -t set,get -n 2000 -c 20 -d 100

kill -9 "$daemon"
wait "$daemon" 2>/dev/null
test_case "killed, it is gone" wait_for 60 gone
start >start.log || note "$(<start.log)"
test_case "another takes its place" registered
test_case "and the server that listens there" fetch "${far[@]}" "http://10.77.0.2:8001/data"
kill "$daemon"
wait "$daemon"
test_case "it ends when it is told to" test $? = 0

test_case "conformance" "$conformance" -4 10.77.0.2 -6 fd77::2 lwip "${lwip[@]}"
finish
