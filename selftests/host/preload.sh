#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# libdmm-preload.so on a machine without the module: nothing may change.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../preload/common.sh
. "$(dirname "$0")/../preload/common.sh"

exports_socket_only() {
	[[ $(nm -D --defined-only "$shim" | awk '{ print $3 }') == socket ]]
}

needs_nothing() {
	! readelf -d "$shim" | grep NEEDED && ! nm -D --undefined-only "$shim" | grep -v ' w '
}

# Everything that fails and everything that does not, and errno after both.
unchanged() {
	same_table "$1" ''
}

# One try, then none until the clock's second has changed. strace shows what the program itself would not see.
rests() {
	local calls

	calls=$(strace -qq -e trace=socket -E LD_PRELOAD="$shim" "$1" threads 2>&1 >/dev/null | grep -c AF_ECONET)
	((calls > 0 && calls < 20)) || { echo "$calls calls"; return 1; }
}

cases() {
	local scenario

	test_case "$2: the shim changes nothing" unchanged "$1"
	for scenario in before-constructors one; do
		test_case "$2: $scenario" expect '^plain$' shimmed "$1" "$scenario"
	done
	test_case "$2: threads" expect '^plain, 0 of another kind$' shimmed "$1" threads
	test_case "$2: signal handler" expect '^plain, 0 of another kind$' shimmed "$1" handler
	test_case "$2: fork, vfork, exec" expect $'^fork plain\nvfork plain\nexec plain$' shimmed "$1" children
	test_case "$2: sandbox" expect $'forbidden: plain\n.*too: plain\n2 0x1 0: Operation not permitted' shimmed "$1" sandbox
	test_case "$2: no descriptors left" diff <("$1" shortage) <(shimmed "$1" shortage)
}

[[ ! -e /sys/module/dmm ]] || skip_all "the module is loaded"
test_case "it exports socket() only" exports_socket_only
test_case "it needs no library and no symbol" needs_nothing
for_each_libc cases
test_case "refused, it rests" rests "$bin/socktest"
test_case "static programs are left alone" expect '^plain$' shimmed "$bin/socktest-static" one
finish
