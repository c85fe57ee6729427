#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The stacks of this tree conform: real sockets on the template, which copies, and on loop, which pairs.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

((EUID == 0)) || skip_all "needs root"
[[ -c /dev/dmm ]] || skip_all "/dev/dmm is not there"
ip link set lo up

conformance=$(dirname "$(readlink -f "$0")")/../stack/conformance
test_case "template" "$conformance" template dmm-template --name template
test_case "loop" "$conformance" loop dmm-loop
finish
