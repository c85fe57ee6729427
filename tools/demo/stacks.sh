# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# A stack in user space beside the kernel's: dmm-loop, within the host far. nginx is the one of before; it is not touched.

# decided WORDS...: stack and reason of a connection to nginx from the same host, as explain has it.
decided() {
	in_ns far dmmpolicy explain connect tcp 127.0.0.1:80 | grep -Eq "^stack $1 reason $2"
}

# Sockets in far on an instance: both ends are there.
on_instance() {
	in_ns far dmmss -Htn | grep -c "ESTAB.* loop@$1 "
}

are_on_instance() {
	(($(on_instance "$1") == $2))
}

# The four servers listen on it.
listens_on() {
	in_ns far dmmpolicy stack show "loop@$1" | grep -q ' listeners 4 '
}

nginx_on_kernel() {
	in_ns far ss -Htn state established 'sport = :80' | wc -l
}

both_download() {
	are_on_instance a 2 && (($(nginx_on_kernel) >= 1))
}

# start_loop INSTANCE: as process $!
start_loop() {
	start far dmm-loop -n loop -i "$1"
}

# downloading NR: so many go on.
downloading() {
	local pid nr=0

	for pid in "${curls[@]}"; do
		! kill -0 "$pid" || ((++nr))
	done
	((nr == $1))
}

# downloads NR: slow ones, whose processes are added to curls.
downloads() {
	local i

	for ((i = 0; i < $1; i++)); do
		nsenter --net=/run/netns/dmm-far dmmrun curl -s --limit-rate 100K -o /dev/null http://127.0.0.1/big &
		curls+=($!)
	done
}

one_listener_two_stacks() {
	sed 1d stacks.policy
	far dmmpolicy -f stacks.policy || surprise 'the policy is refused'
	start_loop a; a=$!
	wait_until 'instance a serves' decided "loop@[ab]" rule
	wait_until 'the servers listen on it' listens_on a
	is 'what curl gets from the same host' "$(far dmmrun curl -sS http://127.0.0.1/)" 'hello from nginx'
	start near dmmrun curl -s --limit-rate 100K -o /dev/null http://10.0.0.2/big
	start far dmmrun curl -s --limit-rate 100K -o /dev/null http://127.0.0.1/big; curls=($!)
	wait_until 'both download' both_download
	far dmmss -anp
	is "listening sockets at port 80" "$(in_ns far dmmss -Hltn | grep -c ':80 ')" 1
}

two_instances() {
	start_loop b; b=$!
	wait_until 'the servers listen on it' listens_on b
	echo 'far#  nine more downloads &'
	downloads 9
	wait_until 'the ten downloads are shared' eval 'are_on_instance a 10 && are_on_instance b 10'
	far dmmpolicy stack show
}

killed() {
	local pid broken=0

	echo "far#  kill -9 $a"
	kill -9 "$a"
	wait "$a" 2>/dev/null
	wait_until 'five downloads end' downloading 5
	for pid in "${curls[@]}"; do
		kill -0 "$pid" 2>/dev/null || wait "$pid" || (($? != 56)) || ((++broken))
	done
	is 'downloads that were reset' "$broken" 5
	is 'sockets on the other instance' "$(on_instance b)" 10
	is 'what curl gets' "$(far dmmrun curl -sS http://127.0.0.1/)" 'hello from nginx'
	decided "loop@[ab]" rule || surprise 'instance b is not chosen'
	echo "far#  kill -9 $b"
	kill -9 "$b"
	wait "$b" 2>/dev/null
	wait_until 'the kernel is the last resort' decided kernel fallback
	far dmmpolicy explain connect tcp 127.0.0.1:80
	is 'what curl gets' "$(far dmmrun curl -sS http://127.0.0.1/)" 'hello from nginx'
	start_loop a
	wait_until 'a new instance a serves' decided "loop@[ab]" rule
	wait_until 'the servers listen on it' listens_on a
	is 'what curl gets' "$(far dmmrun curl -sS http://127.0.0.1/)" 'hello from nginx'
	far dmmpolicy -s stack show
	is 'connects and accepts of the new instance' \
		"$(in_ns far dmmpolicy -s stack show loop@a | grep -oE 'connects [0-9]+ accepts [0-9]+')" 'connects 1 accepts 1'
}

step 'A stack in user space: nginx listens once, and is served by two stacks'
one_listener_two_stacks
step 'Two instances share the load'
two_instances
step 'Instances are killed'
killed
