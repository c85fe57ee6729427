#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kernel: 6.12
#
# libdmm-preload.so where there is DMM to be had: which sockets become DMM's, and which do not.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../preload/common.sh
. "$(dirname "$0")/../preload/common.sh"

# TCP by its two names becomes DMM's, with its flags; everything else is as it was.
readonly tcp='s/^(2|10) (0x1|0x80801) (0|6): plain/\1 \2 \3: dmm/'

kinds() {
	printf '^tcp dmm\ntcp6 dmm\nudp %s\nudp6 %s\nmptcp not dmm$' "$1" "$1"
}

cases() {
	test_case "$2: TCP, and nothing else" same_table "$1" "$tcp"
	test_case "$2: UDP too with DMM_DGRAM=1" expect "$(kinds dmm)" shimmed DMM_DGRAM=1 "$1" kinds
	test_case "$2: not with another value" expect "$(kinds plain)" shimmed DMM_DGRAM=yes "$1" kinds
	test_case "$2: before constructors" expect '^dmm$' shimmed "$1" before-constructors
	test_case "$2: threads" expect '^dmm, 0 of another kind$' shimmed "$1" threads
	test_case "$2: signal handler" expect '^dmm, 0 of another kind$' shimmed "$1" handler
	test_case "$2: fork, vfork, exec" expect $'^fork dmm\nvfork dmm\nexec dmm$' shimmed "$1" children
	test_case "$2: chroot" expect '^dmm$' shimmed "$1" chroot
	# A UDP socket that is refused takes nothing from TCP.
	test_case "$2: a sandbox that forbids the family" expect $'^family forbidden: dmm\n.*\nafter that: dmm' \
		shimmed DMM_DGRAM=1 "$1" sandbox
	test_case "$2: a sandbox that forbids all of it" expect $'protocol too: plain\n2 0x1 0: Operation not permitted$' \
		shimmed "$1" sandbox
	test_case "$2: no descriptors left, for a while" expect 'afterwards: dmm$' shimmed "$1" shortage
	test_case "$2: no descriptors left: errno" diff <("$1" shortage | head -n 2) <(shimmed "$1" shortage | head -n 2)
}

# The loader ignores paths in LD_PRELOAD here; what does not happen is that the program fails.
setuid_program() {
	install -m 4755 "$bin/socktest" "$dir/setuid"
	expect '^plain$' setpriv --reuid nobody --regid nogroup --clear-groups env LD_PRELOAD="$shim" "$dir/setuid" one
}

# Both libraries see the call, in the order in which dmmrun put them.
chain() {
	expect $'^(hooked\n)+dmm$' env LD_PRELOAD="$bin/libhook.so" dmmrun "$bin/socktest" one
}

# ask KIND: what the program that runs as a coprocess says its next socket is.
ask() {
	local answer

	echo >&"${program[1]}"
	read -rt 60 answer <&"${program[0]}"
	[[ $answer == "$1" ]] || { echo "$answer"; return 1; }
}

# A program outlives the module and meets it again, with another number even.
module_comes_and_goes() {
	local af fd program_PID status=0
	local -a program

	af=$(</sys/module/dmm/parameters/af)
	coproc program { shimmed "$bin/socktest" ask; }
	{
		ask dmm && rmmod dmm && ask plain && ask plain &&
			modprobe dmm af="$((af == 18 ? 19 : 18))" && wait_for 10 ask dmm && ask dmm &&
			rmmod dmm && ask plain
	} || status=1
	[[ -e /sys/module/dmm ]] && rmmod dmm
	modprobe dmm af="$af" && wait_for 10 ask dmm || status=1
	fd=${program[1]}
	exec {fd}>&-
	wait "$program_PID"
	return "$status"
}

((EUID == 0)) || skip_all "needs root"
[[ -e /sys/module/dmm ]] || skip_all "the module is not loaded"
dir=$(mktemp -d)
chmod 755 "$dir"
cleanup "rm -rf $dir"

for_each_libc cases
test_case "static programs are left alone" expect '^plain$' shimmed "$bin/socktest-static" one
test_case "setuid programs are left alone" setuid_program
test_case "a library that wraps socket() itself" chain
if (($(</sys/module/dmm/refcnt))) || ! modprobe -n dmm 2>/dev/null; then
	skip "the module comes and goes" "it is in use, or not installed"
else
	test_case "the module comes and goes" module_comes_and_goes
fi
finish
