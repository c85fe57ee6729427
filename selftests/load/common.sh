# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests that hold sockets: hold opens one in a process of its own, alive asks all of them, release ends them.

held=()
readonly hold_seconds=$((60 * ${DMM_TIMEOUT_SCALE:-1}))

# hold [COMMAND... --] WAY FAMILY KIND: open a socket (hold.c), by COMMAND if there is one (ip netns exec ...).
hold() {
	local run=() in out answer

	while [[ " $* " == *' -- '* ]]; do
		[[ $1 == -- ]] || run+=("$1")
		shift
	done
	coproc { exec "${run[@]}" hold "$@"; }
	# The names would go with the coprocess; the shell warns of a second one.
	exec {out}<&"${COPROC[0]}" {in}>&"${COPROC[1]}"
	held+=("$in $out $COPROC_PID")
	read -rt $hold_seconds answer <&"$out"
	[[ $answer == ready ]] && return
	echo "hold $*: $answer"
	let_go "${held[-1]}"
	unset 'held[-1]'
	return 1
}

alive() {
	local in out pid answer one

	for one in "${held[@]}"; do
		read -r in out pid <<<"$one"
		echo >&"$in"
		read -rt $hold_seconds answer <&"$out"
		[[ $answer == alive ]] || { echo "process $pid: ${answer:-no answer}"; return 1; }
	done
}

let_go() {
	local in out pid

	read -r in out pid <<<"$1"
	exec {in}>&- {out}<&-
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

release() {
	local one

	for one in "${held[@]}"; do
		let_go "$one"
	done
	held=()
}
cleanup release

# refuse_text PATTERN COMMAND...: COMMAND succeeds and prints nothing that matches.
refuse_text() {
	local pattern=$1 output
	shift

	output=$("$@" 2>&1) || { echo "exit status $?: $output"; return 1; }
	[[ ! $output =~ $pattern ]] || { echo "/$pattern/ is in: $output"; return 1; }
}

# What the kernel says from here on is looked at by no_complaints.
start_of_log() {
	log_mark="dmm selftest $$ $RANDOM"
	echo "$log_mark" >/dev/kmsg
}

no_complaints() {
	local found

	found=$(dmesg | sed "1,/$log_mark/d" | grep -Ef "$(dirname "$0")/../../tools/vm/complaints" -A 20)
	[[ -z $found ]] || { echo "$found"; return 1; }
}
