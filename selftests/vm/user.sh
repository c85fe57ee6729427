#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Who may change the policy: those who administer the network namespace, in the user namespace that it belongs to.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../load/common.sh
. "$(dirname "$0")/../load/common.sh"

((EUID == 0)) || skip_all "needs root"
[[ -e /sys/module/dmm ]] || skip_all "dmm.ko is not loaded"
id=dmm$$
# Not the machine's own table, which natively is somebody's.
ip netns add "$id"
cleanup ip netns del "$id"
ip -n "$id" link set lo up

here() {
	ip netns exec "$id" "$@"
}

# An ordinary user of the machine.
user() {
	here setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$@"
}

# The same with a user namespace, in which it is root, and a network namespace of that.
own() {
	user unshare --user --map-root-user --net bash -c "ip link set lo up && $1"
}

# With a user namespace only: root there, but the network namespace is not of it.
own_user_only() {
	user unshare --user --map-root-user "$@"
}

here dmmpolicy -f - <<END
zone add lab 192.0.2.0/24
set add ports port { 7 }
rule add prio 50 connect dport 7 reject
END
before=$(here dmmpolicy save)

unchanged() {
	diff <(echo "$before") <(here dmmpolicy save)
}

readonly denied='not permitted|[Pp]ermission'
commands=(
	'rule add prio 1 reject' 'rule del prio 50' 'rule zero' 'zone add own 10.0.0.0/8' 'zone add lab 10.0.0.0/8' 'zone del lab'
	'set add own port { 1 }' 'set replace ports port { 1 }' 'set del ports' 'flush all' 'flush origin cli'
)
for command in "${commands[@]}"; do
	read -ra words <<<"$command"
	test_case "a user may not $command" refuse "$denied" user dmmpolicy "${words[@]}"
	test_case "root of another user namespace may not $command" refuse "$denied" own_user_only dmmpolicy "${words[@]}"
done
test_case "nothing has changed" unchanged
test_case "a user may read rules" expect 'prio 50' user dmmpolicy rule show
test_case "a user may read zones" expect 'lab' user dmmpolicy zone show
test_case "a user may ask for an explanation" expect 'reject' user dmmpolicy explain connect tcp 192.0.2.1:7
test_case "a user may have sockets" hold ip netns exec "$id" setpriv --reuid 65534 --clear-groups -- dmm 4 connection

if ! user unshare --user --map-root-user true 2>/dev/null; then
	skip "own namespace" "user namespaces are forbidden"
else
	test_case "in a namespace of its own it may change rules" \
		expect 'prio 5 .*reject' own 'dmmpolicy rule add prio 5 connect dport 9 reject && dmmpolicy rule show'
	test_case "and they decide" expect 'connect: Connection refused' own \
		'dmmpolicy rule add prio 5 connect reject && hold dmm 4 connection </dev/null || :'
	test_case "by its own user numbers" expect 'connect: Connection refused' own \
		'dmmpolicy rule add prio 5 connect uid 0 reject && hold dmm 4 connection </dev/null || :'
	test_case "but not by those that it does not have" refuse '' own 'dmmpolicy rule add prio 5 connect uid 33 reject'
	test_case "it starts with an empty table" refuse_text 'prio 50' own 'dmmpolicy rule show'
	test_case "the owner's table is as it was" unchanged
fi
finish
