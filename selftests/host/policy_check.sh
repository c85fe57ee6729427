#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# dmmpolicy check where the module is not loaded: the file by itself.

. "$(dirname "$(readlink -f "$0")")/../lib.sh"

dmmpolicy stat >/dev/null 2>&1 && skip_all "the module is loaded"
dir=$(mktemp -d)
cleanup "rm -rf $dir"
cd "$dir" || exit

cat >x.policy <<'END'
zone add z 10.0.0.0/8
rule add prio 1 dst zone z dport 1-5 reject
rule add prio 2 dst 10.1.0.0/16 dst zone z dport 2 stack kernel
END
report='x.policy:3: never matches: the rule at x.policy:2 takes .*1 zones, 1 prefixes, 0 sets, 0 groups, 2 rules, 2 masks of 64, 1 findings'

plan 7
test_case "of what is to be added" expect "$report" dmmpolicy check -f x.policy
test_case "of what is to replace" expect "$report" dmmpolicy check replace origin file -f x.policy
test_case "in JSON" expect '"file":"x.policy","line":3,"finding":"shadowed","other":.*"line":2.*"findings":1' \
	dmmpolicy -j check -f x.policy
test_case "it says that the kernel was not asked" expect "not checked by the kernel" dmmpolicy check -f x.policy
cat - x.policy >y.policy <<'END'
zone add y 11.0.0.0/8 12.0.0.0/8 13.0.0.0/8
zone add w 14.0.0.0/8
zone del y 12.0.0.0/8
zone del w
set add s port 1
set del s
set add s port 2
rule add prio 7 dport 1 reject
rule del prio 7 origin cli
rule zero
END
test_case "what a file deletes does not count" expect "2 zones, 3 prefixes, 1 sets, 0 groups, 2 rules" dmmpolicy check -f y.policy
echo 'flush origin cli' >>y.policy
test_case "also all of it" expect "0 zones, 0 prefixes, 0 sets, 0 groups, 0 rules, 0 masks" \
	dmmpolicy check -f y.policy
test_case "no table is made by deletions" refuse "y.policy:3:1: only what adds" dmmpolicy check replace origin file -f y.policy
finish
