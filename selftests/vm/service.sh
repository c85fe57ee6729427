#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kernel: 6.1
#
# dmmrun enable, as systemd understands it: a service in a sandbox like that of Debian's redis, run by a systemd of our own
# in namespaces of its own.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

bin=$DMM_BUILD/selftests/bin
dir=$(mktemp -d /var/tmp/dmm-service.XXXXXXXXXX)
cleanup "rm -rf $dir"
cgroup=/sys/fs/cgroup/dmm-service
unit=$dir/root/etc/systemd/system/dmm-probe.service

write_unit() {
	mkdir -p "${unit%/*}"
	cat >"$unit" <<-END
	[Unit]
	DefaultDependencies=no
	[Service]
	Type=oneshot
	ExecStart=$bin/socktest $1
	ExecStopPost=/bin/touch $dir/done
	StandardOutput=append:$dir/out
	StandardError=append:$dir/err
	NoNewPrivileges=true
	RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
	SystemCallFilter=@system-service
	NoExecPaths=/
	ExecPaths=$bin/socktest /bin/touch /usr/bin/touch /usr/lib /lib /lib64
	END
}

# The whole system that this one boots is that service, in a cgroup that it takes for the root.
# shellcheck disable=SC2016 # for the shell in the namespaces
boot='mount -t proc proc /proc && mount -t tmpfs tmpfs /run &&
	mount --bind "$1" /etc/systemd/system && mount --bind "$2" /sys/fs/cgroup && mount --bind "$3" /dev/console &&
	exec env -i container=other /lib/systemd/systemd --system --unit=dmm-probe.service --log-target=console'

over() {
	[[ -e $dir/done ]] || ! kill -0 "$1"
}

run_service() {
	local status=0 systemd

	rm -f "$dir/done" "$dir/out" "$dir/err"
	: >"$dir/console"
	mkdir "$cgroup"
	sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$cgroup" \
		unshare --pid --mount --cgroup --ipc --uts --fork --kill-child sh -c "$boot" sh "${unit%/*}" "$cgroup" "$dir/console" \
		>"$dir/log" 2>&1 </dev/null & systemd=$!
	wait_for 200 over "$systemd"
	[[ -e $dir/done ]] || { cat "$dir/log" "$dir/console"; status=1; }
	kill -KILL "$systemd"
	wait "$systemd"
	wait_for 10 remove_cgroup
	cat "$dir/out" "$dir/err"
	return "$status"
} 2>/dev/null

# Empty only when the last process is gone.
remove_cgroup() {
	find "$cgroup" -depth -type d -exec rmdir {} + && [[ ! -e $cgroup ]]
}

# service EXPECTED: what the program in the service says that its socket is.
service() {
	local said

	said=$(run_service)
	[[ $said == "$1" ]] || { echo "$said"; tail -n 20 "$dir/console"; return 1; }
}

((EUID == 0)) || skip_all "needs root"
[[ -e /sys/module/dmm ]] || skip_all "the module is not loaded"
[[ -x /lib/systemd/systemd ]] || skip_all "no systemd"
[[ -e /sys/fs/cgroup/cgroup.procs ]] || skip_all "no unified cgroup hierarchy"

kinds() {
	printf '%s\n' "tcp $1" "tcp6 $1" "udp $2" "udp6 $2" 'mptcp not dmm'
}

write_unit kinds
dmmrun --root "$dir/root" -d enable dmm-probe >/dev/null
test_case "enabled with -d" service "$(kinds dmm dmm)"
dmmrun --root "$dir/root" disable dmm-probe
test_case "disabled" service "$(kinds plain plain)"
finish
