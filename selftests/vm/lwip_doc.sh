#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The first commands of doc/lwip.md, as they stand there: an interface beside that of the host, dmm-lwip, a rule, a program.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

needs_stack dmm-lwip

doc=$(dirname "$(readlink -f "$0")")/../../doc/lwip.md
own_dir
cleanup "jobs -p | xargs -r kill"
cleanup "dmmpolicy stack show lwip | grep -oE 'pid [0-9]+' | cut -d ' ' -f 2 | xargs -r kill"

new_namespace
other=$ns far=(nsenter -t "$ns" -n)
ip link set lo up
wait_for 20 ip link add eth0 type veth peer name far netns "$other"
ip link set eth0 up
"${far[@]}" ip link set far up
"${far[@]}" ip addr add 192.0.2.1/24 dev far
echo hello >index.html
"${far[@]}" busybox httpd -f -p 80 -h "$dir" &
wait_for 60 eval "[[ \$(${far[*]} ss -Hltn 'sport = :80') ]]"

mapfile -t commands < <(sed -n '/^    /{s/^    //p;b}; /^## /q' "$doc")
test_case "there are commands" test "${#commands[@]}" = 4
test_case "${commands[0]}" eval "${commands[0]}"
test_case "${commands[1]}" eval "${commands[1]}"
test_case "${commands[2]}" eval "${commands[2]}"
test_case "${commands[3]}" expect hello eval "${commands[3]}"
test_case "by lwIP" expect 'connects 1' dmmpolicy -s stack show lwip
finish
