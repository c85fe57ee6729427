# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The shim and the programs that it is tried on.

bin=$DMM_BUILD/selftests/bin
shim=$DMM_BUILD/lib/libdmm-preload.so

# shimmed [NAME=VALUE]... PROGRAM ARGUMENT...
shimmed() {
	env LD_PRELOAD="$shim" "$@"
}

# same_table PROGRAM EDIT: apart from what the sed script does to the table without the shim, the shim changes nothing.
same_table() {
	diff <("$1" table | sed -E "$2") <(shimmed "$1" table)
}

# Calls a function for each C library: FUNCTION PROGRAM NAME.
for_each_libc() {
	"$1" "$bin/socktest" glibc
	if [[ -x $bin/socktest-musl ]]; then
		"$1" "$bin/socktest-musl" musl
	else
		skip "musl" "no musl-gcc when this was built"
	fi
}
