#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
#
# dmm-lwip: its configuration, a client and a server of each family against the kernel's TCP, a daemon after another,
# and what all stacks have in common.

# shellcheck source=selftests/lwip/common.sh
. "$(dirname "$0")/../lwip/common.sh"

bad() {
	echo "$2" >bad.conf
	refuse "bad.conf:$1" dmm-lwip --config bad.conf --check
}

test_case "a configuration" dmm-lwip --check --port near --address 10.0.0.1/24 --route "10.1.0.0/16 via 10.0.0.2"
test_case "a gateway of each family" \
	dmm-lwip --check --port near --address 10.0.0.1/24 --gateway 10.0.0.2 --gateway fd00::2
test_case "one that is wrong, by file and line" bad 3 $'# comment\nport near\nadress 10.0.0.1/24'
test_case "a number that is none" bad 2 $'port near\nmtu many\n'
test_case "an address before any port" bad 1 "address 10.0.0.1/24"

# With its options, from which dmmpolicy knows the addresses.
start >start.log || note "$(<start.log)"
test_case "the kernel knows its addresses" expect 'lwip@.*10\.77\.0\.2,fd77::2' dmmpolicy stack show
dmmpolicy rule add tcp stack lwip strict

head -c 1000000 /dev/urandom >data
test_case "a server on the kernel" serve far.log Serving "${far[@]}" /usr/bin/python3 -u -m http.server --bind :: 8000
test_case "curl from lwIP" fetch dmmrun "http://10.77.0.1:8000/data"
test_case "by IPv6" fetch dmmrun "http://[fd77::1]:8000/data"
test_case "a server on lwIP" serve near.log Serving dmmrun /usr/bin/python3 -u -m http.server --bind :: 8001
test_case "curl from the kernel" fetch "${far[@]}" "http://10.77.0.2:8001/data"
test_case "by IPv6" fetch "${far[@]}" "http://[fd77::2]:8001/data"

test_case "killed, it is gone" kill_daemon
start >start.log || note "$(<start.log)"
test_case "another takes its place" registered
test_case "and the server that listens there" fetch "${far[@]}" "http://10.77.0.2:8001/data"
kill "$daemon"
wait "$daemon"
test_case "it ends when it is told to" test $? = 0

test_case "conformance" "$here/../stack/conformance" -4 10.77.0.2 -6 fd77::2 lwip "${lwip[@]}"
finish
