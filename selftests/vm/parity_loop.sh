#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 900
#
# On the stack loop a program sees what it sees of AF_INET, but for what parity/loop.differ lists: the scenarios of
# parity in a namespace whose rules send all sockets there. Arguments go to parity.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside "$@"
shift

here=$(dirname "$(readlink -f "$0")")
bin=${DMM_BUILD:-$here/../../build}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 4
}

((EUID == 0)) || skip_all "needs root"
[[ -c /dev/dmm ]] || skip_all "/dev/dmm is not there"

served() {
	[[ $(dmmpolicy explain "$1" tcp 127.0.0.1:80) == *'stack u'* ]]
}

ip link set lo up
dmm-loop --name u &
loop=$!
trap 'kill $loop' EXIT
dmmpolicy rule add prio 5 tcp stack u,kernel && dmmpolicy rule add prio 6 udp stack u,kernel || exit 1
until served connect; do
	kill -0 $loop || exit 1
	sleep 0.05
done

# What is DMM's own has expectations of its own.
"$bin/selftests/vm/parity" -n -d -x 'dmm.*' -e "$here/../parity/loop.differ" "$@"
status=$?
# A daemon that had died would have left all to the kernel.
kill -0 $loop || { echo "# the daemon has not survived it"; status=1; }
# Whatever threads did at the same time to one socket, none has left a connection behind.
left() {
	dmmpolicy stack show u | grep -o 'live [0-9]* listeners [0-9]*'
}
for ((i = 0; i < 200; i++)); do
	[[ $(left) != 'live 0 listeners 0' ]] || break
	sleep 0.05
done
[[ $(left) == 'live 0 listeners 0' ]] || { echo "# left behind: $(left)"; status=1; }
exit $status
