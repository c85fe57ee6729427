#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 300
# kernel: 6.12
#
# dmmpolicy against the kernel's table: files, transactions, replacement, what it shows and how it fails.

. "$(dirname "$(readlink -f "$0")")/../lib.sh"

tmp=$(mktemp -d)
cleanup rm -rf "$tmp"
cleanup dmmpolicy flush all
dmmpolicy flush all || skip_all "no module"
cd "$tmp" || exit

gen() {
	dmmpolicy stat | sed -n 's/^gen //p'
}

# ids SELECTOR...: of the rules that have all these keys.
ids() {
	dmmpolicy rule show "$@" | sed 's/^id \([0-9]*\).*/\1/' | xargs
}

# equal A B
equal() {
	[[ $1 == "$2" ]] || { echo "got: $1"; echo "not: $2"; return 1; }
}

# lacks WORD COMMAND...: COMMAND succeeds and does not print the word.
lacks() {
	local word=$1 output
	shift

	output=$("$@") || return
	[[ $output != *"$word"* ]] || { echo "$output"; return 1; }
}

# exits STATUS COMMAND...
exits() {
	local want=$1 status=0
	shift

	"$@" || status=$?
	equal "$status" "$want"
}

cat >full.policy <<-'END'
	define web = { 80, 443 }
	zone add lab 10.0.0.0/8 fd00::/8 origin-is-not-a-prefix
END
test_case "a file that does not parse is refused with the place" \
	refuse 'full.policy:2:34: "origin-is-not-a-prefix": not an address' dmmpolicy -f full.policy

cat >full.policy <<-'END'
	define web = { 80, 443 }
	zone add lab { 10.0.0.0/8, fd00::/8
		192.168.0.0/16 }
	zone add empty origin file
	set add db port { 5432, 6379, 9000-9099 }
	rules origin file {
		prio 1000 connect tcp dst zone lab dport set db stack kernel cc reno tos 0x10 setmark 0x7
		prio 1001 listen tcp unit nginx sport $web stack vpp@0,kernel keepidle 9 keepintvl 8 keepcnt 7
		connect udp src 127.0.0.0/8 dport 1-5,7 uid 5-9 gid 3 mark 0x10/0xf0 dscp ef dev lo comm "a \"b\"" reject
		inet6 sport 1 stack kernel strict
	}
	rule add prio 3 dst ::ffff:1.2.3.0/120 cgroup /a.slice/b reject
END
test_case "a file with everything in it loads" dmmpolicy -f full.policy
dmmpolicy save >saved
test_case "what save prints" expect '^zone add empty origin file
zone add lab origin cli 10.0.0.0/8 192.168.0.0/16 fd00::/8
set add db origin cli port \{ 5432, 6379, 9000-9099 \}
rule add prio 3 origin cli dst 1.2.3.0/24 cgroup /a.slice/b reject
rule add prio 1000 origin file connect tcp dst zone lab dport set db stack kernel cc reno setmark 0x7 tos 0x10
rule add prio 1001 origin file listen tcp sport 80,443 cgroup /system.slice/nginx.service stack vpp@0,kernel keepidle 9 keepintvl 8 keepcnt 7
rule add prio 5000 origin file connect udp src 127.0.0.0/8 dport 1-5,7 uid 5-9 gid 3 mark 0x10/0xf0 dscp ef dev lo comm "a \\"b\\"" reject
rule add prio 5000 origin file inet6 sport 1 stack kernel strict$' cat saved
dmmpolicy flush all
test_case "loads again" dmmpolicy load -f saved
test_case "to the same table" cmp saved <(dmmpolicy save)
test_case "from which it does not differ" expect '^$' dmmpolicy diff -f saved
dmmpolicy flush origin file
test_case "flush by origin leaves the others" expect '^zone add lab .*
set add db .*
rule add prio 3 [^
]*$' dmmpolicy save
dmmpolicy flush all

before=$(gen)
test_case "-c changes nothing" dmmpolicy -c -f saved
test_case "not even the generation" equal "$(gen)" "$before"
printf 'rule add prio 1 reject\nrule add prio 2 dst zone nosuch reject\nrule add prio 3 reject\n' >bad.policy
test_case "half a file is no file: the error names line, message, attribute" \
	refuse 'bad.policy:2:1: no such zone: .*\(attribute dst-zone\)' dmmpolicy -f bad.policy
test_case "and nothing changed" equal "$(gen) $(dmmpolicy save)" "$before "
seq -f 'rule add dport %.0f reject' 1 5000 >many.policy
echo 'rule add cc nosuch stack kernel' >>many.policy
test_case "an error far into a file" refuse 'many.policy:5001:1: .*\(attribute set-cc\)' dmmpolicy -f many.policy
test_case "a usage error exits with 1" exits 1 dmmpolicy rule add
test_case "a refusal of the kernel exits with 2" exits 2 dmmpolicy rule del prio 77
test_case "-j tells the id of a rule" expect '"id":[0-9]+' dmmpolicy -j rule add prio 9 reject
test_case "unknown options are refused" exits 1 dmmpolicy -x stat
dmmpolicy flush all

cat >one.policy <<-'END'
	zone add z 10.0.0.0/8 11.0.0.0/8
	set add s port 1-5
	rule add prio 1 dst zone z dport set s stack kernel
	rule add dport 1 stack kernel
	rule add dport 3 stack kernel
END
dmmpolicy rule add prio 9 reject
test_case "replace an origin that has nothing yet" dmmpolicy replace origin file -f one.policy
kept=$(ids origin file) other=$(ids prio 9) before=$(gen)
test_case "replace by the same" dmmpolicy replace origin file -f one.policy
test_case "is no change" equal "$(gen)" "$before"
sed -i 's,11.0.0.0/8,12.0.0.0/8,; s/1-5/1-6/; $i rule add dport 2 reject' one.policy
test_case "the difference" expect '^- zone del z origin file 11.0.0.0/8
\+ zone add z origin file 12.0.0.0/8
\+ set replace s origin file port \{ 1-6 \}
\+ rule add prio 5000 origin file dport 2 reject$' dmmpolicy diff origin file -f one.policy
test_case "replace" dmmpolicy replace origin file -f one.policy
test_case "rules that stay keep their ids" expect "^$kept [0-9]+$" ids origin file
test_case "those of other origins, too" equal "$(ids prio 9)" "$other"
echo 'rule add origin cli reject' >>one.policy
test_case "replace refuses objects of another origin" \
	refuse 'one.policy:7: ?.*origin is cli, not file' dmmpolicy replace origin file -f one.policy
sed -i '$d' one.policy
echo 'rule add prio 2 dst zone nosuch reject' >>one.policy
test_case "a replacement that fails changes nothing" \
	refuse 'one.policy:7:1: no such zone' dmmpolicy replace origin file -f one.policy
test_case "as check says" refuse 'one.policy:7:1: no such zone' dmmpolicy check replace origin file -f one.policy
sed -i '$d' one.policy
test_case "check of what is loaded, with what is of other origins" expect '1 zones, 2 prefixes, 1 sets, 0 groups, 5 rules, . masks' \
	dmmpolicy check replace origin file -f one.policy
test_case "replace by nothing" dmmpolicy replace origin file -f /dev/null
test_case "leaves the other origins" expect '^rule add prio 9 origin cli reject$' dmmpolicy save
dmmpolicy flush all

# Two replace a table at the same time: one is told that it is late, and comes again.
for i in {1..10}; do
	echo "rule add prio $i dport 1 reject" >"r$i.policy"
	dmmpolicy replace origin file -f "r$i.policy" &
	dmmpolicy rule add prio 400 dport "$i" reject &
done
failed=0
for job in $(jobs -p); do
	wait "$job" || failed=1
done
test_case "replacements and additions at once all succeed" equal "$failed" 0
test_case "additions are all there" equal "$(ids prio 400 | wc -w)" 10
test_case "replacements left one" equal "$(ids origin file | wc -w)" 1
dmmpolicy flush all

printf 'rule add prio 1 reject # x\nzone show\nrule show prio 1\nrule add prio 2 comm "a,b" reject\nbogus\nrule add prio 3 reject\n' >batch.txt
test_case "a batch stops at its first error" refuse 'batch.txt:5:1: "bogus": not a command' dmmpolicy -batch batch.txt
test_case "what went before is done" expect '^rule add prio 1 [^
]*
rule add prio 2 origin cli comm "a,b" reject$' dmmpolicy save

dmmpolicy flush all
dmmpolicy rule add prio 1 uid 7 connect tcp dst 127.0.0.1 dport 80 reject
dmmpolicy rule add prio 2 tcp stack nosuch,kernel
test_case "explain names the rule and the key" expect '^stack kernel reason fallback rule [0-9]+ prio 2 dst-zone loopback gen [0-9]+
  candidate nosuch: absent
  candidate kernel: ok
  id [0-9]+ prio 1 .*: uid does not match
  id [0-9]+ prio 2 .*: matches$' dmmpolicy explain connect tcp 127.0.0.1:80 uid 8
test_case "explain a refusal" expect 'reject reason rejected .*Connection refused' \
	dmmpolicy explain connect tcp 127.0.0.1:80 uid 7
test_case "explain the built-in rule" expect 'reason default.*built-in stack kernel' \
	dmmpolicy explain connect udp '[::1]:53'
test_case "explain an accepted connection" expect 'rule [0-9]+ prio 2' \
	dmmpolicy explain listen tcp 10.0.0.1:80 from 10.0.0.2:99
test_case "explain for a process" expect 'prio 2' dmmpolicy explain connect tcp 127.0.0.1:80 pid $$
test_case "explain in JSON" expect '"tried":\[\{.*"mismatch":"uid"' \
	dmmpolicy -j explain connect tcp 127.0.0.1:80 uid 8
test_case "measure a decision" expect 'time [0-9]+\.[0-9]+ ns' \
	dmmpolicy explain connect tcp 127.0.0.1:80 repeat 1000
test_case "rules by selector" equal "$(ids tcp stack nosuch,kernel)" "$(ids prio 2)"
test_case "counters with -s only" lacks hits dmmpolicy rule show
test_case "and with it" expect 'hits 0' dmmpolicy -s rule show prio 2
dmmpolicy flush all

dmmpolicy monitor rule >events & cleanup kill $!
dmmpolicy -j monitor rule >events.json & cleanup kill $!
wait_for 10 grep -q start events
wait_for 10 grep -q start events.json
dmmpolicy rule add prio 5 dport 1 reject
dmmpolicy rule del prio 5
dmmpolicy zone add m 10.0.0.0/8
wait_for 10 grep -q 10.0.0.0/8 events
test_case "monitor" expect 'start gen [0-9]+
rule add id [0-9]+ prio 5 origin cli dport 1 reject
commit gen [0-9]+
rule del id [0-9]+ prio 5 [^
]*
commit gen [0-9]+
zone add m .*10.0.0.0/8' cat events
wait_for 10 grep -q 'zone-add' events.json
test_case "monitor in JSON" expect '"event":"rule-add".*"event":"rule-del".*"event":"zone-add"' cat events.json
dmmpolicy flush all

ip netns add dmmpolicy-test && cleanup ip netns del dmmpolicy-test
test_case "another namespace" dmmpolicy -n dmmpolicy-test rule add prio 1 reject
test_case "has a table of its own" expect '^$' dmmpolicy save
test_case "a namespace that is not there" refuse 'cannot enter network namespace' dmmpolicy -n nosuch stat

seq -f 'rule add prio 1 dport %.0f reject' 1 4000 >busy.policy
dmmpolicy -f busy.policy
( for i in {1..60}; do dmmpolicy rule add prio 2 reject; dmmpolicy rule del prio 2; done ) &
wrong=0
for i in {1..20}; do
	n=$(dmmpolicy rule show prio 1 | wc -l)
	((n == 4000)) || wrong=$n
done
wait $!
test_case "dumps while the table changes are whole" equal "$wrong" 0
finish
