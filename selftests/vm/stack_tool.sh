#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Stacks, groups and sharing as dmmpolicy and dmmss show them, with instances of dmm-loop.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

((EUID == 0)) || skip_all "needs root"
command -v dmm-loop >/dev/null || skip_all "dmm-loop is not there"
dmmpolicy stat >/dev/null 2>&1 || skip_all "the module is not loaded"
[[ -c /dev/dmm ]] || skip_all "/dev/dmm is not there"
ip link set lo up

own_dir

declare -A daemon

# start INSTANCE [OPTION...]
start() {
	local instance=$1
	shift

	dmm-loop -i "$instance" "$@" >"$instance.log" 2>&1 & daemon[$instance]=$!
	cleanup "kill ${daemon[$instance]}"
}

shown() {
	dmmpolicy stack show | grep -q "^$1"
}

gone() {
	! shown "$1"
}

# candidates WORDS...: of explain, as stack@instance:status in a row.
candidates() {
	dmmpolicy -j explain "$@" | python3 -c '
import json, sys
print(*(c["stack"] + ("=" + c["instance"] if "instance" in c else "") + ":" + c["status"]
	for c in json.load(sys.stdin)[0].get("candidates", [])))'
}

# gives WANTED COMMAND...: it prints that.
gives() {
	local wanted=$1 got
	shift

	got=$("$@" 2>&1)
	[[ $got == "$wanted" ]] || { echo "$*: $got, not $wanted"; return 1; }
}

test_case "the kernel's stack is always there" expect "^kernel connects" dmmpolicy stack show

# In the background what a case starts would keep it from ending.
dmmpolicy monitor stack >events & cleanup kill $!
dmmpolicy -j monitor stack >events.json & cleanup kill $!
wait_for 30 grep -q start events
wait_for 30 grep -q start events.json
start a
test_case "an instance comes" wait_for 30 shown "loop@a "
start b -w 50
test_case "and another one" wait_for 30 shown "loop@b "
only_b() {
	[[ $(dmmpolicy stack show loop | cut -d' ' -f1) == $'loop@a\nloop@b' ]] &&
		[[ $(dmmpolicy stack show loop@b | cut -d' ' -f1) == loop@b ]]
}
test_case "one of them" only_b
test_case "they are shown" expect "loop@a pid ${daemon[a]} comm \"dmm-loop\" health ok caps .*stream.* weight 100 queues . live 0 listeners 0" \
	dmmpolicy stack show
test_case "with counters" expect "loop@b pid .* weight 50 .* connects 0 accepts 0 failures 0 resets 0 bad-events 0 bad-rings 0" \
	dmmpolicy -s stack show loop
test_case "in JSON" python3 -c '
import json, subprocess
all = json.loads(subprocess.check_output(["dmmpolicy", "-j", "stack", "show"]))
assert [s["stack"] for s in all] == ["kernel", "loop", "loop"], all
assert [s["instance"] for s in all[1:]] == ["a", "b"] and all[1]["weight"] == 100 and "stream" in all[1]["caps"], all'
test_case "monitor tells of them" wait_for 30 grep -q "^stack add loop@b pid " events
test_case "in JSON, too" wait_for 30 grep -q '"event":"stack-add".*"instance":"b"' events.json

# Groups.

dmmpolicy rule add prio 10 connect tcp dport 7001 group none 2>refused
test_case "a rule needs its group" grep -q "no such group" refused
test_case "a group" dmmpolicy group add farm origin file '{' loop@a weight 3, loop@b weight 1, none, kernel weight 1 '}'
test_case "is shown" gives "farm origin file { loop@a weight 3, loop@b weight 1, none weight 100, kernel weight 1 }" \
	dmmpolicy group show farm
test_case "there is one of a name" refuse "the group exists.*attribute name" dmmpolicy group add farm a
test_case "set replaces the members" eval "dmmpolicy group set farm loop@a weight 3, loop@b weight 1, none &&
	expect 'none weight 100 }' dmmpolicy group show"
test_case "a rule names it" dmmpolicy rule add prio 10 connect tcp dport 7001 group farm timeout 500 race 100
test_case "it cannot go then" refuse "a rule names the group" dmmpolicy group del farm

# The weights decide between idle instances; the one that is not there is last.
test_case "explain has the members in their order" gives "loop@a=a:ok loop@b=b:ok none:absent" \
	candidates connect tcp 127.0.0.1:7001
test_case "and the choice" expect "stack loop@a reason rule" dmmpolicy explain connect tcp 127.0.0.1:7001
test_case "which follows the weights" eval "dmmpolicy group set farm loop@a weight 3, loop@b weight 4 &&
	gives 'loop@b=b:ok loop@a=a:ok' candidates connect tcp 127.0.0.1:7001"
test_case "equals keep their order" eval "dmmpolicy group set farm loop@b, loop@a &&
	gives 'loop@b=b:ok loop@a=a:ok' candidates connect tcp 127.0.0.1:7001"
test_case "the name of a stack has all its instances" eval "dmmpolicy rule add prio 11 connect tcp dport 7002 stack nosuch,loop,kernel &&
	gives 'nosuch:absent loop=a:ok loop=b:ok kernel:ok' candidates connect tcp 127.0.0.1:7002"
test_case "of which the fallback is" expect "stack loop reason fallback" dmmpolicy explain connect tcp 127.0.0.1:7002
test_case "explain prints them" expect "  candidate loop@a: ok" dmmpolicy explain connect tcp 127.0.0.1:7002

# Load: connections that live push the next one to the other instance.

cat >talk.py <<'END'
import socket, sys

server = socket.socket()
server.bind(("127.0.0.1", 7001))
server.listen(100)
pairs = []
print("ready", flush=True)
for line in sys.stdin:
    if line.startswith("connect"):
        c = socket.create_connection(("127.0.0.1", 7001))
        pairs.append((c, server.accept()[0]))
        pairs[-1][0].send(b"x" * 100)
        print(c.getsockopt(300, 1, 32).rstrip(b"\0").decode(), flush=True)
    if line.startswith("half"):
        pairs[0][0].shutdown(socket.SHUT_WR)
        print("half", *(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] for s in pairs[0]), flush=True)
END

dmmpolicy group set farm loop@a weight 2, loop@b weight 1
dmmpolicy rule add prio 12 listen tcp sport 7001 group farm
mkfifo requests
dmmrun python3 talk.py <requests >answers 2>&1 & cleanup kill $!
exec 3>requests
test_case "a server on both" wait_for 60 grep -q ready answers

answered() {
	(($(grep -c '^loop$' answers) == $1))
}
for ((i = 1; i <= 6; i++)); do
	echo connect >&3
done
test_case "six connections" eval "wait_for 60 answered 6 || { cat answers; false; }"

live() {
	dmmpolicy -j stack show loop | python3 -c 'import json, sys; print(*(s["live"] for s in json.load(sys.stdin)))'
}
# A connection within the host has two ends of one instance.
test_case "are shared by weight" gives "8 4" live
test_case "dmmss shows them with the instance" expect "ESTAB .*127.0.0.1:7001 .*loop@a " dmmss -tn
test_case "and what is in the rings" python3 -c '
import json, subprocess
socks = [s for s in json.loads(subprocess.check_output(["dmmss", "-jtna"])) if s.get("instance")]
assert len(socks) == 12 and all(s["state"] == "ESTAB" and s["stack"] == "loop" for s in socks), socks
assert sum(s["recv_q"] for s in socks) == 600 == sum(s["send_q"] for s in socks), socks'
test_case "also as columns" expect "Rings.*q0,rx:[01]0*/[0-9]+,tx:" dmmss -tnm
test_case "totals by stack" eval "dmmss -s | grep -E '^loop +12$'"
test_case "stat counts them" eval "dmmpolicy stat | grep -x 'connected 12'"
echo half >&3
test_case "one that has ended sending: FIN-WAIT-2 at its end, CLOSE-WAIT at the other" wait_for 60 grep -qx "half 5 8" answers
half_closed() {
	[[ $(dmmss -tn | awk '$2 != "ESTAB" && /loop@/ { print $2 }' | sort | paste -sd ' ') == "CLOSE-WAIT FIN-WAIT-2" ]]
}
test_case "dmmss shows that" half_closed

# A stack that never answers: it is passed over while that is fresh.

mute-stack mute >mute.log 2>&1 & mute=$!
cleanup "kill $mute"
test_case "a mute stack" wait_for 30 shown "mute@0 "
dmmpolicy rule add prio 5 connect tcp dport 7003 stack mute,loop@a timeout 300
dmmpolicy rule add prio 5 connect tcp dport 7004 stack mute timeout 300 strict
dmmpolicy rule add prio 5 listen tcp sport 7003 stack loop

cat >try.py <<'END'
import errno, socket, sys

if sys.argv[1] == "7003":
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 7003))
    server.listen()
c = socket.socket()
try:
    c.connect(("127.0.0.1", int(sys.argv[1])))
    print(c.getsockopt(300, 1, 32).rstrip(b"\0").decode())
except OSError as e:
    print(errno.errorcode[e.errno])
END

try() {
	dmmrun python3 try.py "$1"
}
connects_of_mute() {
	dmmpolicy -s stack show mute | grep -o 'connects [0-9]*'
}
failing() {
	dmmpolicy stat | grep -x "failing $1"
}
test_case "explain knows nothing against it" gives "mute=0:ok loop@a=a:ok" candidates connect tcp 127.0.0.1:7003
test_case "the next stack of the list answers" gives loop try 7003
test_case "it was asked" gives "connects 1" connects_of_mute
# The first failure counts for a second, which a slow machine may need to ask; each further one for twice as long.
fresh() {
	local end=$((SECONDS + 60))

	while ((SECONDS < end)); do
		try 7003 >try.out || return
		[[ $(candidates connect tcp 127.0.0.1:7003) == "mute=0:failing loop@a=a:ok" ]] || continue
		failing 1 && return
	done
	echo "it never failed freshly"
	return 1
}
test_case "its failure is remembered" fresh
again() {
	local end=$((SECONDS + 120)) before

	while ((SECONDS < end)); do
		before=$(connects_of_mute)
		try 7003 >try.out || return
		[[ $(<try.out) == loop ]] || { cat try.out; return 1; }
		[[ $(connects_of_mute) != "$before" ]] || return 0
	done
	return 1
}
test_case "and it is not asked again" again
test_case "flush" dmmpolicy stack flush
test_case "forgets" failing 0
test_case "a strict rule fails with the last error" gives ETIMEDOUT try 7004
test_case "and asks again, for there is no other choice" gives ETIMEDOUT try 7004
kill "$mute"

# The kernel's connections are not counted: it gets its share of decisions.
dmmpolicy group add half loop@a weight 1, kernel weight 1
dmmpolicy rule add prio 1 connect tcp dport 7003 group half
halves() {
	local i

	for i in 1 2 3 4; do
		try 7003 || return
	done >halves.out
	(($(grep -c '^loop$' halves.out) == 2)) || { cat halves.out; return 1; }
}
test_case "the kernel's stack as a member" halves

# Sharing.

ip netns add stack-tool || not_ok "ip netns add"
cleanup "ip netns del stack-tool"
inside() {
	ip netns exec stack-tool "$@"
}
alone() {
	(($(inside dmmpolicy stack show | wc -l) == 1))
}
test_case "another namespace has no instance" alone
test_case "share" dmmpolicy stack share loop@a netns stack-tool
test_case "it serves that now" expect "loop@a .*health ok shared " inside dmmpolicy stack show
test_case "share twice" refuse "an instance of this name serves the namespace" dmmpolicy stack share loop@a netns stack-tool
test_case "the own namespace" refuse "the namespace is the instance's own" dmmpolicy stack unshare loop@a netns $$
test_case "unshare" dmmpolicy stack unshare loop@a netns stack-tool
test_case "and it does not" alone
test_case "unshare twice" refuse "the instance does not serve the namespace" dmmpolicy stack unshare loop@a netns stack-tool
test_case "an unknown instance" refuse "no such instance" dmmpolicy stack share loop@c netns stack-tool

# The end.

kill "${daemon[b]}"
test_case "an instance goes" wait_for 30 gone "loop@b "
test_case "monitor tells" wait_for 30 grep -q "^stack del loop@b pid " events
test_case "the group has the other one" gives "loop@a=a:ok loop@b:absent" candidates connect tcp 127.0.0.1:7001

finish
