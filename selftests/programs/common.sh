# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of real programs share. Each defines scenario(), which runs "${run[@]}" PROGRAM... in an empty
# directory and prints what came out, without what differs from run to run. It is run twice, at the same time:
#
#   plain    run=()         in a network, process and mount namespace of its own
#   dmm      run=(dmmrun)   in another one
#
# Both must succeed and print the same. The counters of DMM, which belong to the network namespace, say that the sockets
# were DMM's in one case and not in the other; a test says how many it expects at least:
#
#   declare -A at_least=([connects]=10 [accepts]=10 [listens]=1)
#
# What both need can be made by prepare(), in the parent of their directories.
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

# ---- inside the namespaces

inside() {
	run=()
	[[ $1 == plain ]] || run=(dmmrun)
	[[ $1 == plain || ! ${dgram-} ]] || run+=(-d)
	dir=$2
	ip link set lo up
	cd "$dir"
	status=0
	(scenario) || status=$?
	! have_module || dmmpolicy -j stat >"$dir.stat"
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

main() {
	local -A pids=()
	local name=${0##*/} status=0

	[[ ${1-} != --inside ]] || inside "${@:2}"
	echo 'TAP version 13'
	((EUID == 0)) || { echo "1..0 # SKIP needs root, for namespaces"; exit 4; }
	for program in dmmrun ip "${needs[@]}"; do
		type -P "$program" >/dev/null || { echo "1..0 # SKIP no $program"; exit 4; }
	done

	echo 1..5
	tmp=$(mktemp -d "/tmp/dmm-${name%.sh}.XXXXXXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	chmod 755 "$tmp"
	copy_dmmrun
	! declare -F prepare >/dev/null || (cd "$tmp" && prepare)
	start plain
	start dmm
	finish plain "${name%.sh} works"
	finish dmm "${name%.sh} works under dmmrun"
	diff -U 2 "$tmp/plain.out" "$tmp/dmm.out" >"$tmp/diff" || status=1
	result "$status" 'with the same results'
	comment <"$tmp/diff"
	if have_module; then
		check_counters
	else
		echo "ok $((++number)) under dmmrun its sockets are DMM's # SKIP no module"
		echo "ok $((++number)) without dmmrun they are not # SKIP no module"
	fi
	exit "$failed"
}
