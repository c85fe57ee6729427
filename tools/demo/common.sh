# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# For the scenes: the network, programs in it, and claims that are checked.

backup=/sys/fs/cgroup/dmm-demo/backup
surprises=0
exec {console}>&1 2>&1

in_ns() {
	nsenter --net="/run/netns/dmm-$1" "${@:2}"
}

# near COMMAND..., far COMMAND...: what is typed there, and what it says.
near() {
	echo "near# $*" >&$console
	in_ns near "$@"
}

far() {
	echo "far#  $*" >&$console
	in_ns far "$@"
}

# start near|far COMMAND...: the same in the background, as process $!.
start() {
	printf '%-5s %s &\n' "$1#" "${*:2}" >&$console
	nsenter --net="/run/netns/dmm-$1" "${@:2}" &
}

step() {
	printf '\n== %s\n' "$*"
}

expected() {
	echo "  as expected: $*"
}

surprise() {
	echo "  NOT AS EXPECTED: $*"
	((++surprises))
}

# is WHAT VALUE WANTED
is() {
	if [[ $2 == "$3" ]]; then
		expected "$1: $3"
	else
		surprise "$1: ${2:-nothing} instead of $3"
	fi
}

# wait_until WHAT COMMAND...: for states that can only be asked for.
wait_until() {
	local what=$1 end=$((SECONDS + 60))
	shift

	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || { surprise "$what: not within a minute"; return 1; }
		sleep 0.1
	done
}

listening() {
	local port

	for port; do
		[[ $(in_ns far ss -Hltn "sport = :$port") ]] || return
	done
}

processes() {
	ip netns pids dmm-near
	ip netns pids dmm-far
}

# Some programs get stuck when SIGTERM comes in the wrong moment (iperf3 does).
end_processes() {
	local signal tries

	for signal in TERM KILL; do
		processes | xargs -r kill -s "$signal"
		for ((tries = 50; tries; tries--)); do
			[[ $(processes) ]] || return 0
			sleep 0.1
		done
	done
}

cleanup() {
	exec 2>/dev/null
	end_processes
	wait
	ip netns del dmm-near
	ip netns del dmm-far
	rmdir "$backup" "${backup%/*}"
	rm -rf "$dir"
}

build_network() {
	local net

	ip netns add dmm-near
	ip netns add dmm-far
	ip link add near netns dmm-near type veth peer name far netns dmm-far
	for net in 10.0.0 172.20.0; do
		ip -n dmm-near addr add "$net.1/24" dev near
		ip -n dmm-far addr add "$net.2/24" dev far
	done
	for net in near far; do
		ip -n "dmm-$net" link set lo up
		ip -n "dmm-$net" link set "$net" up
	done
}

# Any user must be able to read the shim, wherever the checkout is.
copy_dmmrun() {
	local bin

	bin=$(dirname "$(type -P dmmrun)")
	mkdir "$dir/bin" "$dir/lib"
	cp "$bin/dmmrun" "$dir/bin"
	cp "$bin/../lib/libdmm-preload.so" "$dir/lib"
	PATH=$dir/bin:$PATH
}

write_nginx_conf() {
	truncate -s 20M "$dir/big"
	echo 'hello from nginx' >"$dir/index.html"
	cat >"$dir/nginx.conf" <<-END
	daemon off;
	pid $dir/nginx.pid;
	error_log stderr crit;
	events { worker_connections 64; }
	http { access_log off; server { listen 80; root $dir; } }
	END
}
