#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.12
#
# Node: streams, HTTP with keep-alive, datagrams, listening sockets shared among processes.

# shellcheck source=common.sh
. "${0%/*}/common.sh"

needs=(node)
# shellcheck disable=SC2034 # for common.sh
declare -A at_least=([connects]=50 [accepts]=50 [listens]=7)
# shellcheck disable=SC2034
dgram=1

scenario() {
	"${run[@]}" node "$source"
}

source=$(readlink -f "${0%/*}/sockets.js")
main "$@"
