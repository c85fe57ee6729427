#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
#
# The stacks of this tree conform: real sockets on the template, which copies, on loop, which pairs, and on one of four queues.
# Who does not conform is told so, and the policy of the namespace is what it was before.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

((EUID == 0)) || skip_all "needs root"
[[ -c /dev/dmm ]] || skip_all "/dev/dmm is not there"
ip link set lo up

conformance=$(dirname "$(readlink -f "$0")")/../stack/conformance
dmmpolicy rule add prio 7 dport 9 reject
before=$(dmmpolicy rule show)

unchanged() {
	[[ $(dmmpolicy rule show) == "$before" ]] || dmmpolicy rule show
}

# Nobody can be bound there.
fails() {
	refuse $'\ndatagrams and their addresses +FAILED\n' "$conformance" -4 192.0.2.1 -x stream -x inet6 template dmm-template
}

test_case "template" "$conformance" template dmm-template --name template
test_case "loop" "$conformance" -u 192.0.2.1 loop dmm-loop
test_case "four queues" "$conformance" queues stack-queues
test_case "the policy is as before" unchanged
test_case "a failure is told" fails
test_case "a stack that does not start" refuse 'has ended' "$conformance" none false
test_case "an option that is none" refuse 'usage' "$conformance" -x all none true
finish
