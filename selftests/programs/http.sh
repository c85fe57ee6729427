# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# HTTP clients that keep asking for the file "big" while something is done to the server.

# shellcheck disable=SC2154 # run is of common.sh

clients=()

get() {
	"${run[@]}" curl -sS --max-time 30 "$@"
}

ask() {
	local n=0

	until [[ -e stop ]]; do
		{ get -f -o "$1.body" "$2" && cmp "$1.body" big; } 2>>errors || echo "request $n of client $1 failed" >>errors
		echo $((++n)) >"$1.count"
	done
}

# start_asking URL...: one client each; ends when all have been served.
start_asking() {
	local url

	rm -f stop errors
	for url; do
		echo 0 >"${#clients[@]}.count"
		ask "${#clients[@]}" "$url" & clients+=($!)
	done
	served_again
}

ahead() {
	local i

	for i in "${!clients[@]}"; do
		(($(<"$i.count") > seen[i] + 1)) || return
	done
}

# Until each client has had an answer to a request that it made after now.
served_again() {
	local seen=() i

	for i in "${!clients[@]}"; do
		seen[i]=$(<"$i.count")
	done
	wait_until ahead
}

stop_asking() {
	touch stop
	wait "${clients[@]}"
	clients=()
	cat errors 2>/dev/null || echo no request failed
}
