#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kernel: 6.1
#
# dmmpolicy from end to end, in a network namespace of its own.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

((EUID == 0)) || skip_all "needs root"
ip link set lo up

dir=$(mktemp -d)
chmod 755 "$dir"
cleanup "rm -rf $dir"
cd "$dir" || exit

# Copies, for users who may not enter the checkout; and in the VM they start faster from memory.
bin=$dir/bin
mkdir -m 755 "$bin"
cp "$(command -v dmmpolicy)" "$DMM_BUILD/lib/libdmm.so.0" "$bin"
ldd "$bin/dmmpolicy" | awk '$3 ~ "^/usr|^/lib" { print $3 }' | xargs cp -t "$bin"
PATH=$bin:$PATH LD_LIBRARY_PATH=$bin:$LD_LIBRARY_PATH

dmmpolicy stat >/dev/null 2>&1 || skip_all "the module is not loaded"

# gives STATUS COMMAND...: that exit status.
gives() {
	local wanted=$1 status output
	shift

	output=$("$@" 2>&1)
	status=$?
	((status == wanted)) || { echo "exit status $status, not $wanted: $output"; return 1; }
}

same() {
	diff -u "$1" "$2"
}

# quiet COMMAND...: it succeeds and prints nothing.
quiet() {
	local output

	output=$("$@" 2>&1) || { echo "exit status $?: $output"; return 1; }
	[[ -z $output ]] || { echo "printed: $output"; return 1; }
}

generation() {
	dmmpolicy stat | sed -n 's/^gen //p'
}

# unchanged COMMAND...: it makes no generation.
unchanged() {
	local before
	before=$(generation)

	"$@" || return
	[[ $(generation) == "$before" ]] || { echo "the table changed"; return 1; }
}

# with_rules NUMBER
with_rules() {
	local nr
	nr=$(dmmpolicy rule show | wc -l)

	((nr == $1)) || { echo "$nr rules, not $1"; return 1; }
}

# A decision, of which a rule counts the hit.
connect() {
	dmmrun bash -c ": <>/dev/tcp/127.0.0.1/$1" 2>/dev/null
	true
}

# The ids and the hits of all rules in their order, as id:hits.
ids() {
	dmmpolicy -s rule show | sed 's/^id \([0-9]*\) .* hits \([0-9]*\).*/\1:\2/'
}

# Usage.

usage_shows_commands() {
	local words usage

	usage=$(dmmpolicy help) || return
	while read -r words; do
		[[ $usage == *$'\n'"dmmpolicy $words"* ]] || { echo "no $words in help"; return 1; }
	done <<-END
		zone add
		set replace
		rule del
		flush
		explain
		check
		diff
		replace origin
		load
		save
		monitor
		stat
	END
}
test_case "help has all commands" usage_shows_commands
test_case "no command is a mistake" gives 1 dmmpolicy
test_case "so is an unknown one" gives 1 dmmpolicy frobnicate
test_case "and an unknown option" gives 1 dmmpolicy -z rule show
test_case "and what cannot be parsed" gives 1 dmmpolicy rule add dst 10.0.0.0/33 reject
test_case "what the kernel refuses is no mistake of usage" gives 2 dmmpolicy rule del id 4242
test_case "it says why, and of which attribute" refuse "no such rule.*attribute id" dmmpolicy rule del id 4242
test_case "the version" expect "dmmpolicy" dmmpolicy -V

# Files.

cat >all.policy <<'END'
define web = { 80, 443, 8000-8100 }
zone add lan 10.0.0.0/8 192.168.0.0/16 fd00::/8
zone add lab origin file 10.1.0.0/16 10.1.2.0/24 \
	10.9.9.9
zone add empty
set add web port $web
set add dns origin file port domain
group add farm { loop@a weight 3, loop@b, kernel weight 1 }

rules origin file {
	prio 1000 connect tcp dst zone lan dport set web stack kernel cc reno
	prio 1000 listen tcp unit nginx sport $web stack nosuch@0,kernel keepidle 60 keepintvl 5 keepcnt 3
	prio 1100 connect uid 1000-1999 gid 7 dst zone internet reject
	prio 1150 connect tcp dport 90 group farm timeout 500 race 100 kernel strict
	prio 1160 connect tcp dport 91 stack loop,lwip@0,kernel timeout 2000
	prio 1200 src zone loopback dst 127.0.0.0/8 stack kernel strict setmark 0x10 tos 0xb8
}
rule add prio 2000 inet6 src fd00::1 sport 1-1023 cgroup "/a b/c" mark 0x10/0xf0 dscp ef dev eth0 comm "x y" stack kernel
rule add prio 2000 udp inet dst ::ffff:10.0.0.0/104 dport 53 stack kernel
rule add prio 2100 src 10.1.0.0/16 src zone lan dst zone lab dst 10.1.0.0/16 reject
rule add origin crd stack kernel
rule add origin learned dst 0.0.0.0/0 uid 0 gid 0-4294967294 mark 0 dscp 0 reject
END

round_trip() {
	dmmpolicy -f all.policy && dmmpolicy save >one && dmmpolicy flush all && dmmpolicy -f one && dmmpolicy save >two &&
		same one two && (($(wc -l <one) == 6 + 11))
}
test_case "a table that is saved can be loaded" round_trip
test_case "and differs from its file in nothing" quiet dmmpolicy diff -f all.policy
test_case "load is -f" unchanged gives 2 dmmpolicy load -f all.policy
test_case "standard input" eval "dmmpolicy flush all && dmmpolicy -f - <one && dmmpolicy save | diff one -"

includes() {
	mkdir -p d.d/sub && cp one d.d/10-table.policy && echo 'include sub/x' >d.d/20-more.policy &&
		echo 'rule add prio 3 stack kernel' >d.d/sub/x && echo 'not a command' >d.d/README &&
		dmmpolicy flush all && dmmpolicy -f d.d && expect "prio 3 " dmmpolicy rule show prio 3
}
test_case "a directory, with an include" includes
test_case "-c changes nothing" unchanged dmmpolicy -c flush all

# diff and replace.

cat >file.policy <<'END'
zone add site 10.0.0.0/8
set add ports port { 81, 82 }
rule add prio 1 connect dst zone loopback dport 81 stack kernel
rule add prio 2 connect dport set ports stack kernel
rule add prio 3 connect dst zone site reject
END
sed -e '3d' -e 's/zone site reject/zone site stack kernel/' -e '1s/$/ 11.0.0.0\/8/' file.policy >other.policy
echo 'rule add prio 0 connect dport 99 reject' >>other.policy

differs() {
	local pattern

	dmmpolicy flush all && dmmpolicy rule add prio 7 stack kernel && dmmpolicy replace origin file -f file.policy &&
		dmmpolicy diff origin file -f other.policy >differences || return
	cat differences
	for pattern in '\+ zone add site origin file 11.0.0.0/8' '- rule add prio 1 .*dport 81 stack kernel' \
		'- rule add prio 3 .*reject' '\+ rule add prio 3 .*zone site stack kernel' '\+ rule add prio 0 .*'; do
		[[ $'\n'$(<differences)$'\n' =~ $'\n'$pattern$'\n' ]] || { echo "no $pattern"; return 1; }
	done
	(($(wc -l <differences) == 5))
}
test_case "diff tells what goes and what comes" differs
test_case "and changes nothing" unchanged dmmpolicy diff origin file -f other.policy

replaces() {
	local before after

	connect 81
	connect 82
	connect 82
	mapfile -t before < <(ids)
	dmmpolicy replace origin file -f other.policy || return
	mapfile -t after < <(ids)
	echo "${before[*]} -> ${after[*]}"
	# In their order: a new one, the one for 81 has gone, that for 82 stays, 3 is another, 7 is not the file's.
	((${#before[@]} == 4 && ${#after[@]} == 4)) && [[ ${before[0]} == *:1 && ${before[1]} == *:2 && ${after[0]} == *:0 &&
		${after[1]} == "${before[1]}" && ${after[2]} != "${before[2]}" && ${after[3]} == "${before[3]}" ]]
}
test_case "replace keeps rules that stay, with ids and hits" replaces
test_case "a second replace changes nothing" unchanged dmmpolicy replace origin file -f other.policy
test_case "replace of a file of another origin" gives 1 dmmpolicy replace origin crd -f \
	<(echo 'rule add origin file stack kernel')
test_case "replace with nothing" eval "dmmpolicy replace origin file -f /dev/null && with_rules 1"

# What fails changes nothing, and says where.

dmmpolicy flush all
cat >bad.policy <<'END'
zone add z 10.0.0.0/8

rule add prio 1 dst zone z stack kernel
rule add prio 2 dst zone nosuch stack kernel
rule add prio 3 stack kernel
END
test_case "a file that the kernel refuses" unchanged gives 2 dmmpolicy -f bad.policy
test_case "the line and the attribute" refuse "bad.policy:4.*no such zone.*dst-zone" dmmpolicy -f bad.policy
test_case "nothing of it is there" quiet dmmpolicy save
sed -i 's/nosuch/z/; s/prio 3/prio 3 dprot 80/' bad.policy
test_case "a file that cannot be parsed" unchanged gives 1 dmmpolicy -f bad.policy
test_case "the line and the word" refuse 'bad.policy:5:17: "dprot"' dmmpolicy -f bad.policy
test_case "a file that is not there" gives 1 dmmpolicy -f nosuch.policy

printf 'rule add prio 1 stack kernel\nzone add z 10.0.0.0/8\nzone add y 10.0.0.0/8\nrule add prio 2 stack kernel\n' >commands
test_case "a batch ends at the first command that fails" refuse "commands:3" dmmpolicy -batch commands
test_case "those before it were done" eval "with_rules 1 && dmmpolicy zone show z"

# check

dmmpolicy flush all
cat >odd.policy <<'END'
rule add prio 1 dst 10.0.0.0/8 stack kernel
rule add prio 2 dst 10.1.0.0/16 reject
rule add prio 3 dport 80 uid 5 stack kernel
rule add prio 3 dport 80-81 gid 5 reject
END
test_case "check tells of rules that never match" expect "odd.policy:2: never matches.*odd.policy:1" dmmpolicy check -f odd.policy
test_case "and of those whose order is their age" expect "odd.policy:4: overlaps.*odd.policy:3" dmmpolicy check -f odd.policy
test_case "and counts" expect "4 rules, 4 masks" dmmpolicy check -f odd.policy
test_case "check changes nothing" unchanged dmmpolicy check -f all.policy
sed -i 's/dport set web/dport set nosuch/' all.policy
test_case "check asks the kernel" refuse "all.policy:11.*no such port set" dmmpolicy check -f all.policy

cat >late.policy <<'END'
zone add z 10.0.0.0/8
rule add prio 2 dst zone z dport 80 reject
END
dmmpolicy flush all
dmmpolicy -f - <<'END'
rule add prio 1 dport 80 stack kernel
rule add prio 1 dport 80-90 reject
rule add prio 9 origin file dport 81 stack kernel
END
test_case "a rule that is there already" expect "late.policy:2: never matches: rule id [0-9]+ takes all" \
	dmmpolicy check -f late.policy
test_case "what is odd without the file is not reported" expect "1 zones, 1 prefixes, 0 sets, 0 groups, 4 rules, . masks of 64, 1 findings" \
	dmmpolicy check -f - <late.policy
test_case "in place of what replace takes away" expect "3 rules, . masks of 64, 0 findings" \
	dmmpolicy check replace origin file -f <(echo 'rule add prio 1 dport 7 stack kernel')
test_case "before what it would be shadowed by" expect "rule id [0-9]+: never matches: the rule at .*:1 takes" \
	dmmpolicy check -f <(echo 'rule add prio 0 dport 80-90 uid 0-4294967294 stack kernel; rule add prio 0 dport 1-99 reject')
test_case "a file that deletes" expect "1 rules, 1 masks of 64, 0 findings" \
	dmmpolicy check -f <(echo 'rule del prio 1; flush origin file'; cat late.policy)
test_case "also a zone, a set and prefixes" expect "1 zones, 1 prefixes, 0 sets, 0 groups, 3 rules" dmmpolicy check -f <(
	echo 'zone add a 10.0.0.0/8; zone add b 11.0.0.0/8 12.0.0.0/8; set add s port 1; zone del b 12.0.0.0/8; zone del a; set del s')
dmmpolicy -f late.policy
test_case "a file that is loaded cannot be added" gives 2 dmmpolicy check -f late.policy
test_case "but can replace" gives 0 dmmpolicy check replace origin cli -f late.policy
test_case "replace needs an origin" gives 1 dmmpolicy check replace -f late.policy
test_case "and only replace has one" gives 1 dmmpolicy check origin cli -f late.policy

# JSON. Python takes long to start: it looks at all output at once.

dmmpolicy flush all
dmmpolicy -j rule show >none.json
dmmpolicy -f one
i=0
while read -r -a words; do
	((i++))
	dmmpolicy -j "${words[@]}" >"$i.json" </dev/null || not_ok "${words[*]}"
done <<-'END'
	zone show
	zone show lan
	set show
	rule show
	-s rule show prio 1000
	-p rule show
	explain connect tcp 10.1.2.3:80 uid 5
	explain listen tcp *:80
	stat
	stack show
	save
	diff -f other.policy
	check -f odd.policy
	rule add prio 9 stack kernel
	group show farm
END

cat >look.py <<'END'
import glob, json, sys

for name in glob.glob("*.json"):
    try:
        value = json.load(open(name))
    except ValueError as e:
        sys.exit(f"{name}: {e}")
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        sys.exit(f"{name}: not an array of objects")
if json.load(open("none.json")):
    sys.exit("an empty table has rules")
rules = json.load(open("4.json"))
wanted = [
    {"prio": 1200, "src_zone": "loopback", "dst": "127.0.0.0/8", "stack": ["kernel"], "set_mark": 16, "set_tos": 184},
    {"prio": 1150, "group": "farm", "timeout": 500, "race": 100, "race_kernel": True, "strict": True},
    {"prio": 1160, "stack": ["loop", "lwip@0", "kernel"], "timeout": 2000},
    {"prio": 2100, "src": "10.1.0.0/16", "src_zone": "lan", "dst": "10.1.0.0/16", "dst_zone": "lab"},
]
if len(rules) != 11 or not all(any(w.items() <= rule.items() for rule in rules) for w in wanted):
    sys.exit(f"rules: {rules}")
if not isinstance(json.load(open("14.json"))[0]["id"], int):
    sys.exit("rule add tells no id")

farm = [
    {"stack": "loop@a", "weight": 3}, {"stack": "loop@b", "weight": 100}, {"stack": "kernel", "weight": 1},
]
if json.load(open("15.json")) != [{"name": "farm", "origin": "cli", "members": farm}]:
    sys.exit("group show")

events = [json.loads(line) for line in open("events")]
names = [event["event"] for event in events]
commit = names.index("commit")
if names[0] != "start" or names.count("rule-add") != 11 or names.count("set-add") != 2 or names.count("group-add") != 1 or names.index("decision") < commit:
    sys.exit(f"events: {names}")
if events[commit]["gen"] != events[0]["gen"] + 1:
    sys.exit(f"generations: {events[0]} {events[commit]}")
END

monitors() {
	local pid status

	dmmpolicy flush all
	dmmpolicy -j monitor all >events &
	pid=$!
	wait_for 30 grep -q '"start"' events && dmmpolicy -f one && wait_for 30 grep -q '"commit"' events &&
		connect 4242 && wait_for 30 grep -q '"decision"' events
	status=$?
	kill "$pid"
	wait "$pid" 2>/dev/null
	return "$status"
}
test_case "monitor" monitors
test_case "-j is JSON, and says what there is" python3 look.py

# Questions.

dmmpolicy flush all
dmmpolicy -f - <<'END'
zone add lan 10.0.0.0/8
rule add prio 1 connect dst zone lan dport 80 stack kernel
rule add prio 2 uid 0 reject
END
test_case "explain" expect 'stack kernel reason rule .*prio 1 .*dst-zone lan.*prio 1 .*: matches' \
	dmmpolicy explain connect tcp 10.1.2.3:80
test_case "explain, with the key that did not match" \
	expect 'reject reason rejected .*error "Connection refused".*dport does not match.*prio 2.*: matches' \
	dmmpolicy explain connect tcp 10.1.2.3:81
test_case "explain the built-in rule" expect 'reason default .*built-in stack kernel: matches' \
	dmmpolicy explain connect tcp 10.1.2.3:81 uid 5
test_case "explain what a process would get" expect 'reason rejected' dmmpolicy explain connect udp 9.9.9.9:53 pid $$
test_case "rules by what they say" eval "dmmpolicy rule show uid 0 | grep -c . | grep -qx 1 && with_rules 2"
test_case "a zone that is not there" gives 2 dmmpolicy zone show nosuch

# Who, and where.

nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups env LD_LIBRARY_PATH="$bin")
test_case "nobody may read" expect "prio 2" "${nobody[@]}" "$bin/dmmpolicy" rule show
test_case "but not change" refuse "Operation not permitted" "${nobody[@]}" "$bin/dmmpolicy" rule add stack kernel
if "${nobody[@]}" unshare -rn true 2>/dev/null; then
	test_case "unless it is root somewhere" expect "uid (root|0) " \
		"${nobody[@]}" unshare -rn sh -c "$bin/dmmpolicy rule add uid 0 reject && $bin/dmmpolicy save"
else
	skip "unless it is root somewhere" "user namespaces are switched off"
fi
ip netns add dmm-test
cleanup "ip netns del dmm-test"
test_case "another namespace" eval "dmmpolicy -n dmm-test rule add prio 77 stack kernel && dmmpolicy -n dmm-test rule show prio 77 |
	grep -q kernel && ! dmmpolicy rule show | grep -q 77"
test_case "one that is not there" gives 1 dmmpolicy -n nosuch rule show

# Several at once: each waits for its turn.

at_once() {
	local i j pid pids=()

	dmmpolicy flush all
	for i in {1..8}; do
		for ((j = 0; j < 200; j++)); do
			echo "rule add prio $i dst 10.$i.0.$j stack kernel"
		done >"part$i"
		dmmpolicy -f "part$i" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || return
	done
	with_rules 1600
}
test_case "eight files at once" at_once

many() {
	awk 'function host(net, i) { return net "." int(i / 65536) "." int(i / 256) % 256 "." i % 256 }
	BEGIN {
		for (i = 0; i < 20000; i++)
			print "zone add big " host(10, i)
		printf "zone add bigger { "
		for (i = 0; i < 20000; i++)
			printf "%s, ", host(11, i)
		print "11.255.0.0/16 }"
	}' >many
	dmmpolicy flush all && dmmpolicy -f many && expect "prefixes 40001" dmmpolicy stat && dmmpolicy save >saved &&
		dmmpolicy flush all && dmmpolicy -f saved && dmmpolicy save | cmp - saved
}
test_case "40000 prefixes" many

finish
