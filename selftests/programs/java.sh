#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.1
#
# Java: blocking sockets, selectors, asynchronous channels, datagrams.

# shellcheck source=common.sh
. "${0%/*}/common.sh"

needs=(java javac)
# shellcheck disable=SC2034 # for common.sh
declare -A at_least=([connects]=40 [accepts]=40 [listens]=8)
# shellcheck disable=SC2034
dgram=1

prepare() {
	javac -J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC -J-XX:-UsePerfData -J-Xshare:auto -d classes "$source"
}

scenario() {
	"${run[@]}" java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData -Xmx64m -Xshare:auto -cp ../classes Sockets
}

source=$(readlink -f "${0%/*}/Sockets.java")
main "$@"
