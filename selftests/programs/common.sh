# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of real programs share. Each defines scenario(), which runs "${run[@]}" PROGRAM... in an empty
# directory and prints what came out, without what differs from run to run. It is run three times, at the same time:
#
#   plain    run=()         in a network, process and mount namespace of its own
#   dmm      run=(dmmrun)   in another one
#   loop     run=(dmmrun)   in a third, whose rules send all sockets to the stack loop first
#
# All must succeed and print the same. The counters of DMM, which belong to the network namespace, say that the sockets
# were DMM's in one case and not in the other; a test says how many it expects at least:
#
#   declare -A at_least=([connects]=10 [accepts]=10 [listens]=1)
#
# Of these accepts half, or what on_loop says, must have been loop's.
# What all need can be made by prepare(), in the parent of their directories.
#
# Without the module the programs run all the same, on plain sockets: the rest is skipped.

# shellcheck disable=SC2154 # needs and at_least are the tests' own

set -eu -o pipefail

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# The debug kernel is that much slower.
readonly scale=${DMM_TIMEOUT_SCALE:-1}

# wait_until COMMAND...: poll for a state that cannot be waited for.
wait_until() {
	local deadline=$((SECONDS + 120 * scale))

	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || die "still not: $*"
		sleep 0.05
	done
}

gone() {
	! kill -0 "$1"
}

# The unprivileged account for programs that drop to one, or refuse to run as root.
# shellcheck disable=SC2034 # for the tests
readonly user=www-data

have_module() {
	[[ -e /sys/module/dmm ]]
}

have_loop() {
	[[ -c /dev/dmm ]] && type -P dmm-loop >/dev/null
}

# ---- inside the namespaces

# What explain says of a TCP connection on this host.
goes_to_loop() {
	[[ $(dmmpolicy explain connect tcp 127.0.0.1:80) == 'stack loop '* ]]
}

start_loop() {
	local protocol

	dmm-loop --name loop &
	for protocol in tcp udp; do
		dmmpolicy rule add $protocol stack loop,kernel
	done
	wait_until goes_to_loop
}

inside() {
	run=()
	[[ $1 == plain ]] || run=(dmmrun)
	[[ $1 == plain || ! ${dgram-} ]] || run+=(-d)
	dir=$2
	ip link set lo up
	cd "$dir"
	[[ $1 != loop ]] || start_loop
	status=0
	(scenario) || status=$?
	! have_module || dmmpolicy -j stat >"$dir.stat"
	[[ $1 != loop ]] || dmmpolicy -s stack show loop >"$dir.stack"
	exit "$status"
}

# ---- outside

number=0
failed=0

result() {
	local verdict=ok

	(($1 == 0)) || { verdict='not ok'; failed=1; }
	echo "$verdict $((++number)) $2"
}

comment() {
	sed 's/^/# /'
}

# compare NAME: did the scenario print what it prints on plain sockets?
compare() {
	local status=0

	diff -U 2 "$tmp/plain.out" "$tmp/$1.out" >"$tmp/diff" || status=1
	result "$status" 'with the same results'
	comment <"$tmp/diff"
}

# The unprivileged account must be able to read the shim, wherever the checkout is.
copy_dmmrun() {
	local bin

	bin=$(dirname "$(type -P dmmrun)")
	mkdir -p "$tmp/tools/bin" "$tmp/tools/lib"
	cp "$bin/dmmrun" "$tmp/tools/bin"
	cp "$bin/../lib/libdmm-preload.so" "$tmp/tools/lib"
	PATH=$tmp/tools/bin:$PATH
}

start() {
	mkdir -m 755 "$tmp/$1"
	timeout -k 5 $((550 * scale)) unshare --net --pid --mount-proc --fork --kill-child \
		"$0" --inside "$1" "$tmp/$1" >"$tmp/$1.out" 2>"$tmp/$1.err" &
	pids[$1]=$!
}

finish() {
	local status=0

	wait "${pids[$1]}" || status=$?
	result "$status" "$2"
	((status == 0)) || { echo "# $1: exit status $status"; tail -n 40 "$tmp/$1.out" "$tmp/$1.err" | comment; }
}

counter() {
	sed -nE "s/.*\"$2\": *([0-9]+).*/\1/p" "$tmp/$1.stat" | head -n 1
}

check_counters() {
	local name min value status=0

	for name in "${!at_least[@]}"; do
		min=${at_least[$name]}
		value=$(counter dmm "$name")
		((${value:-0} >= min)) || { status=1; echo "# $name: ${value:-none}, not $min or more"; }
	done
	result "$status" "under dmmrun its sockets are DMM's"

	status=0
	for name in connects accepts listens undecided; do
		value=$(counter plain "$name")
		((${value:-1} == 0)) || { status=1; echo "# $name: ${value:-none}, not 0"; }
	done
	result "$status" "without dmmrun they are not"
}

check_loop() {
	local min=${on_loop:-$((at_least[accepts] / 2))} value status=0

	value=$(sed -nE 's/.* accepts ([0-9]+).*/\1/p' "$tmp/loop.stack")
	((${value:-0} >= min)) || { status=1; echo "# accepts: ${value:-none}, not $min or more"; }
	result "$status" "on loop its connections are loop's"
}

skip_loop() {
	local what

	for what in "${0##*/} works on loop" 'with the same results' "on loop its connections are loop's"; do
		echo "ok $((++number)) $what # SKIP no dmm-loop, or no /dev/dmm"
	done
}

main() {
	local -A pids=()
	local name=${0##*/}

	[[ ${1-} != --inside ]] || inside "${@:2}"
	echo 'TAP version 13'
	((EUID == 0)) || { echo "1..0 # SKIP needs root, for namespaces"; exit 4; }
	for program in dmmrun ip "${needs[@]}"; do
		type -P "$program" >/dev/null || { echo "1..0 # SKIP no $program"; exit 4; }
	done

	echo 1..8
	tmp=$(mktemp -d "/tmp/dmm-${name%.sh}.XXXXXXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	chmod 755 "$tmp"
	copy_dmmrun
	! declare -F prepare >/dev/null || (cd "$tmp" && prepare)
	start plain
	start dmm
	! have_loop || start loop
	finish plain "${name%.sh} works"
	finish dmm "${name%.sh} works under dmmrun"
	compare dmm
	if have_module; then
		check_counters
	else
		echo "ok $((++number)) under dmmrun its sockets are DMM's # SKIP no module"
		echo "ok $((++number)) without dmmrun they are not # SKIP no module"
	fi
	if have_loop; then
		finish loop "${name%.sh} works on loop"
		compare loop
		check_loop
	else
		skip_loop
	fi
	exit "$failed"
}
