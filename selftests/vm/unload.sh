#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 900
#
# Loading and unloading the module: refused while it holds a socket, possible the moment it does not, without harm to
# connections that were handed over.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../load/common.sh
. "$(dirname "$0")/../load/common.sh"

((EUID == 0)) || skip_all "needs root"
modprobe dmm 2>/dev/null || skip_all "there is no dmm.ko"
module=$(modinfo -n dmm)
(($(</sys/module/dmm/refcnt) == 0)) || skip_all "the module is in use"
cleanup modprobe dmm
# The kernel would start modprobe for each socket() that fails.
autoload=$(</proc/sys/kernel/modprobe)
cleanup "echo '$autoload' >/proc/sys/kernel/modprobe"
load() { /sbin/insmod "$module"; }
# Sockets of processes that are gone may have their last reference dropped after a grace period of RCU.
unload() { wait_for 10 rmmod dmm; }
start_of_log

# refused WAY FAMILY KIND: while the socket is there rmmod fails and does it no harm; then it succeeds.
refused() {
	hold "$@" || return
	refuse 'in use|temporarily unavailable' rmmod dmm || return
	alive || return
	release
	unload || return
	load
}

# survives KIND: connections of all kinds are still there without the module, and with the next one.
survives() {
	local way family

	for way in "${ways[@]}"; do
		for family in 4 6; do
			hold "$way" "$family" "$1" || return
		done
	done
	unload || return
	alive || return
	refuse 'not (supported|known)' hold dmm 4 undecided || return
	load || return
	alive || return
	unload || return
	alive || return
	load || return
	release
}

# The policy goes with the module, and so does a namespace's.
rules_go() {
	local ns=dmm-unload-$$

	ip netns add "$ns" || return
	dmmpolicy rule add prio 7 connect dport 7 reject &&
		dmmpolicy -n "$ns" rule add prio 7 connect dport 7 reject &&
		unload && load && refuse_text 'prio 7' dmmpolicy rule show &&
		refuse_text 'prio 7' dmmpolicy -n "$ns" rule show
	local status=$?
	ip netns del "$ns"
	return "$status"
}

# A load that cannot succeed leaves nothing behind.
bad_number() {
	unload || return
	refuse '' /sbin/insmod "$module" af=2 || return
	refuse '' /sbin/insmod "$module" af=4000 || return
	[[ ! -e /sys/module/dmm ]] || return
	/sbin/insmod "$module" af=4 || return
	hold dmm 4 undecided && alive && release
	unload && load
}

rounds=$((100 / ${DMM_ROUNDS_DIV:-1}))
in_use_by_others() {
	churn "$module" "$rounds"
}

for way in dmm protocol; do
	for family in 4 6; do
		for kind in undecided bound listener; do
			test_case "refused: $way, IPv$family, $kind" refused "$way" "$family" "$kind"
		done
	done
done
test_case "refused: datagram, undecided" refused dmm 4 undecided-datagram
ways=(dmm protocol)
test_case "connections that were made survive" survives connection
test_case "connections that were accepted survive" survives accepted
ways=(dmm)
test_case "datagram sockets survive" survives datagram
test_case "rules go with the module" rules_go
test_case "address family that is taken, or none" bad_number
unload
echo >/proc/sys/kernel/modprobe
test_case "$rounds rounds under traffic" in_use_by_others
echo "$autoload" >/proc/sys/kernel/modprobe
load
test_case "the kernel has no complaint" no_complaints
finish
