# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# KTAP for tests in bash. A test sources this, calls plan with the number of its test cases or leaves it to finish, then
# for each case a function by test_case, or one of ok, not_ok and skip:
#
#   . "$(dirname "$0")/../lib.sh"
#   test_case "a rule can be added" dmmpolicy rule add prio 1 reject
#   test_case "and is seen" expect "reject" dmmpolicy rule show
#   finish

set -u

ktap_count=0 ktap_failed=0 ktap_planned='' ktap_cleanups=()

echo "TAP version 13"

# plan N: the cases are known beforehand, so one that is left out counts as a failure.
plan() {
	ktap_planned=$1
	echo "1..$1"
}

ok() {
	echo "ok $((++ktap_count)) $1"
}

not_ok() {
	echo "not ok $((++ktap_count)) $1"
	ktap_failed=$((ktap_failed + 1))
}

# skip NAME REASON
skip() {
	echo "ok $((++ktap_count)) $1 # SKIP $2"
}

# skip_all REASON: nothing here can run.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 4
}

# has_module NAME: does the running kernel have it?
has_module() {
	modinfo "$1" >/dev/null 2>&1
}

note() {
	local line

	while IFS= read -r line; do
		echo "# $line"
	done <<<"$*"
}

# test_case NAME COMMAND...: passes if COMMAND does; what COMMAND printed is shown if not.
test_case() {
	local name=$1 output status
	shift

	output=$("$@" 2>&1)
	status=$?
	if ((status == 0)); then
		ok "$name"
	else
		not_ok "$name"
		note "$(printf '%q ' "$@"): exit status $status"
		[[ -z $output ]] || note "$output"
	fi
}

# expect PATTERN COMMAND...: COMMAND succeeds and prints something that matches the extended regular expression.
expect() {
	local pattern=$1 output
	shift

	output=$("$@" 2>&1) || { echo "exit status $?: $output"; return 1; }
	[[ $output =~ $pattern ]] || { echo "expected /$pattern/, got: $output"; return 1; }
}

# refuse PATTERN COMMAND...: COMMAND fails, and what it prints matches.
refuse() {
	local pattern=$1 output
	shift

	output=$("$@" 2>&1) && { echo "succeeded: $output"; return 1; }
	[[ $output =~ $pattern ]] || { echo "expected /$pattern/, got: $output"; return 1; }
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds. DMM_TIMEOUT_SCALE multiplies the seconds.
wait_for() {
	local end=$((SECONDS + $1 * ${DMM_TIMEOUT_SCALE:-1}))
	shift

	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || { echo "timed out: $*"; return 1; }
		sleep 0.05
	done
}

# needs_stack PROGRAM: skip all where it, or what it needs, is not there.
needs_stack() {
	((EUID == 0)) || skip_all "needs root"
	[[ -c /dev/dmm ]] || skip_all "/dev/dmm is not there"
	command -v "$1" >/dev/null || skip_all "$1 was not built"
}

# own_dir: go to a directory, $dir, that ends with the test.
own_dir() {
	dir=$(mktemp -d)
	cleanup "rm -rf $dir"
	cd "$dir" || exit
}

# new_namespace: a network namespace with lo up, held by process $ns, which ends with the test.
new_namespace() {
	unshare -n sleep infinity &
	ns=$!
	cleanup "kill $ns"
	wait_for 20 eval "[[ \$(readlink /proc/$ns/ns/net) != $(readlink /proc/self/ns/net) ]]"
	nsenter -t "$ns" -n ip link set lo up
}

# cleanup COMMAND: run at exit, last first.
cleanup() {
	ktap_cleanups+=("$*")
}

ktap_exit() {
	local status=$? i

	for ((i = ${#ktap_cleanups[@]} - 1; i >= 0; i--)); do
		eval "${ktap_cleanups[i]}" >/dev/null 2>&1
	done
	exit "$status"
}
trap ktap_exit EXIT

# finish: print the plan if it was not, and exit. 1 when a case failed, or some did not run.
finish() {
	[[ $ktap_planned ]] || plan "$ktap_count"
	((ktap_count == ktap_planned)) || { note "planned $ktap_planned cases, ran $ktap_count"; exit 1; }
	exit $((ktap_failed > 0))
}
