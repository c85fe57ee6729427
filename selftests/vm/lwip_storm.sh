#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.12
#
# dmm-lwip under attack: a flood of SYNs whose senders never answer, frames in which something is wrong, and more clients
# at once than a listener has room for. Meanwhile decent clients are served; afterwards it has no more memory than before.
# DMM_FRAMES=1000000 sends so many of the wrong ones, DMM_SEED says which.

# shellcheck source=selftests/lwip/common.sh
. "$(dirname "$0")/../lwip/common.sh"

nr_frames=${DMM_FRAMES:-4000}
seed=${DMM_SEED:-$RANDOM}
frames=("${far[@]}" /usr/bin/python3 "$here/../lwip/frames.py")
mac=$(ip -br link show near | awk '{ print $3 }')

# memory: KiB of the daemon's own.
memory() {
	awk '/VmData/ { print $2 }' "/proc/$daemon/status"
}

# flood ADDRESS: until end_flood.
flood() {
	rm -f stop
	: >floods
	until [[ -e stop ]]; do
		"${frames[@]}" syn far "$mac" "$1" 8001 2000
		echo >>floods
	done >flood.log 2>&1 &
	flooder=$!
}

end_flood() {
	touch stop
	wait "$flooder"
}

# served ADDRESS: clients among the flood, and the flood goes on.
served() {
	local before
	before=$(wc -l <floods)

	"${far[@]}" traffic churn 30 3 "$1" 8001 && wait_for 60 more_floods "$before"
}

more_floods() {
	(($(wc -l <floods) > $1))
}

little_memory() {
	local now
	now=$(memory)

	((now < memory_before + 4096)) || { echo "$memory_before KiB before, $now after"; return 1; }
}

alive() {
	kill -0 "$daemon" && "${far[@]}" traffic churn 20 5 10.77.0.2 8001 && "${far[@]}" traffic churn 20 5 fd77::2 8001
}

# What is sent to addresses beyond the link goes to the kernel at the other end, which has no use for it.
lwip+=(--gateway 10.77.0.1 --gateway fd77::1)
start >start.log || note "$(<start.log)"
dmmpolicy rule add tcp stack lwip strict
test_case "a server" serve near.log ready dmmrun traffic serve 8001 128
test_case "and clients" alive
memory_before=$(memory)

for address in 10.77.0.2 fd77::2; do
	flood $address
	test_case "a flood of SYNs to $address" wait_for 60 more_floods 0
	test_case "clients are served meanwhile" served $address
	end_flood
	test_case "the daemon's memory is bounded" little_memory
	test_case "afterwards all is well" alive
done

for address in 10.77.0.2 fd77::2; do
	test_case "$nr_frames wrong frames to $address, seed $seed" \
		"${frames[@]}" junk far "$mac" $address 8001 "$nr_frames" "$seed"
	test_case "afterwards all is well" alive
done
test_case "and memory is bounded" little_memory

test_case "a listener with a small backlog" serve small.log ready dmmrun traffic serve 8002 5
test_case "more clients at once than that" "${far[@]}" traffic churn 300 300 10.77.0.2 8002
test_case "by IPv6" "${far[@]}" traffic churn 300 300 fd77::2 8002
kill "$daemon"
wait "$daemon"
test_case "it ends when it is told to" test $? = 0
finish
