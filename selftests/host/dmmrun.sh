#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# dmmrun: what it passes on to a program, and the drop-ins that it writes for services.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

shim=$DMM_BUILD/lib/libdmm-preload.so
root=$(mktemp -d)
cleanup "rm -rf $root"
etc=$root/etc/systemd/system
usr=$root/usr/lib/systemd/system
mkdir -p "$etc" "$usr" "$root/etc/default"

status_is() {
	local status=0

	"${@:2}" >/dev/null 2>&1 || status=$?
	((status == $1)) || { echo "exit status $status"; return 1; }
}

preload_is() {
	[[ $("${@:2}" printenv LD_PRELOAD) == "$1" ]]
}

arguments_pass() {
	[[ $(dmmrun -- printf '<%s>' 'a b' '' -d -- '*') == '<a b><><-d><--><*>' ]]
}

by_relative_path_and_link() {
	ln -s "$DMM_BUILD/bin/dmmrun" "$root/link"
	(cd "$DMM_BUILD/bin" && preload_is "$shim" ./dmmrun) && preload_is "$shim" "$root/link"
}

without_library() {
	mkdir -p "$root/opt/bin"
	cp "$DMM_BUILD/bin/dmmrun" "$root/opt/bin"
	refuse 'libdmm-preload.so is not in .*/opt/lib' "$root/opt/bin/dmmrun" true
}

in_a_path_with_a_space() {
	mkdir -p "$root/two words/bin" "$root/two words/lib"
	cp "$DMM_BUILD/bin/dmmrun" "$root/two words/bin"
	cp "$shim" "$root/two words/lib"
	refuse 'LD_PRELOAD cannot hold' "$root/two words/bin/dmmrun" true
}

# unit NAME LINE...: a service in /usr with these lines in its [Service] section.
unit() {
	mkdir -p "$(dirname "$usr/$1")"
	printf '%s\n' '[Unit]' 'Description=x' '[Service]' 'ExecStart=/bin/true' "${@:2}" >"$usr/$1"
}

# enabled UNIT LINE...: enabling it writes exactly these lines.
enabled() {
	local file=$etc/$1.d/50-dmm.conf

	dmmrun ${options:+"$options"} --root "$root" enable "$1" >/dev/null || return
	diff <(printf '%s\n' '# Written by dmmrun.' '[Service]' "${@:2}") "$file"
}

sandboxed() {
	unit sandboxed.service 'RestrictAddressFamilies=AF_UNIX AF_INET' 'RestrictAddressFamilies=AF_INET6' 'NoExecPaths=/'
	enabled sandboxed.service "Environment=\"LD_PRELOAD=$shim\"" RestrictAddressFamilies=AF_ECONET "ExecPaths=$shim"
}

without_ip() {
	unit local.service RestrictAddressFamilies=AF_UNIX
	enabled local.service "Environment=\"LD_PRELOAD=$shim\"" &&
		unit denies.service 'RestrictAddressFamilies=~AF_INET6' &&
		enabled denies.service "Environment=\"LD_PRELOAD=$shim\"" &&
		unit reset.service RestrictAddressFamilies=AF_INET 'RestrictAddressFamilies=' &&
		enabled reset.service "Environment=\"LD_PRELOAD=$shim\""
}

appends() {
	unit preloads.service 'Environment=A=1 "LD_PRELOAD=/a.so /b.so" B=2' '# Environment=LD_PRELOAD=/c.so'
	enabled preloads.service "Environment=\"LD_PRELOAD=/a.so /b.so:$shim\"" &&
		enabled preloads.service "Environment=\"LD_PRELOAD=/a.so /b.so:$shim\""
}

continued_line() {
	unit continued.service $'Environment=A=1 \\' '  LD_PRELOAD=/a.so' '[Install]' 'Environment=LD_PRELOAD=/b.so'
	enabled continued.service "Environment=\"LD_PRELOAD=/a.so:$shim\""
}

# What the unit has may be in its drop-ins, of any of the names that it goes by.
drop_ins() {
	unit web-api@.service Environment=LD_PRELOAD=/a.so
	mkdir -p "$usr/web-.service.d" "$etc/web-api@.service.d" "$usr/web-api@.service.d"
	printf '[Service]\nEnvironment=LD_PRELOAD=/b.so\n' >"$usr/web-.service.d/10-a.conf"
	printf '[Service]\nEnvironment=LD_PRELOAD=/c.so\n' >"$usr/web-api@.service.d/20-b.conf"
	ln -s /dev/null "$etc/web-api@.service.d/20-b.conf"
	enabled web-api@blue.service "Environment=\"LD_PRELOAD=/b.so:$shim\""
}

alias_of_unit() {
	unit real.service
	ln -s /lib/systemd/system/real.service "$etc/alias.service"
	dmmrun --root "$root" enable alias && [[ -e $etc/real.service.d/50-dmm.conf && ! -e $etc/alias.service.d ]]
}

udp_too() {
	unit udp.service
	options=-d enabled udp.service "Environment=\"LD_PRELOAD=$shim\"" Environment=DMM_DGRAM=1
}

# A drop-in that cannot have an effect must not be left there.
overridden() {
	unit over.service EnvironmentFile=-/etc/default/over
	mkdir -p "$etc/over.service.d"
	printf '[Service]\nEnvironment=LD_PRELOAD=/late.so\n' >"$etc/over.service.d/90-late.conf"
	refuse 'behind 50-dmm.conf sets LD_PRELOAD to /late.so' dmmrun --root "$root" enable over || return
	[[ ! -e $etc/over.service.d/50-dmm.conf ]] || return
	rm "$etc/over.service.d/90-late.conf"
	echo LD_PRELOAD=/file.so >"$root/etc/default/over"
	refuse '/etc/default/over sets LD_PRELOAD' dmmrun --root "$root" enable over
}

disables() {
	unit plain.service
	enabled plain.service "Environment=\"LD_PRELOAD=$shim\"" &&
		dmmrun --root "$root" disable plain.service && [[ ! -e $etc/plain.service.d ]]
}

keeps_other_drop_ins() {
	mkdir -p "$etc/plain.service.d"
	touch "$etc/plain.service.d/10-other.conf"
	enabled plain.service "Environment=\"LD_PRELOAD=$shim\"" &&
		dmmrun --root "$root" disable plain && [[ $(ls "$etc/plain.service.d") == 10-other.conf ]]
}

masked() {
	unit masked.service
	ln -s /dev/null "$etc/masked.service"
	refuse 'masked.service is masked' dmmrun --root "$root" enable masked
}

test_case "it sets LD_PRELOAD" preload_is "$shim" dmmrun
test_case "it appends" preload_is "/a.so:$shim" env LD_PRELOAD=/a.so dmmrun
test_case "once only" preload_is "$shim:/a.so" env LD_PRELOAD="$shim:/a.so" dmmrun
test_case "relative paths and links" by_relative_path_and_link
test_case "UDP is off" refuse '^$' dmmrun printenv DMM_DGRAM
test_case "-d" expect '^1$' dmmrun -d printenv DMM_DGRAM
test_case "--dgram" expect '^1$' dmmrun --dgram printenv DMM_DGRAM
test_case "arguments" arguments_pass
test_case "the program's exit status" status_is 42 dmmrun sh -c 'exit 42'
test_case "no such program" status_is 127 dmmrun /nonexistent
test_case "no program" status_is 2 dmmrun
test_case "unknown option" status_is 2 dmmrun -x true
test_case "-V" expect '^dmmrun [0-9.]+$' dmmrun -V
test_case "--help" expect '^usage: dmmrun' dmmrun --help
test_case "no library" without_library
test_case "library in a path with a space" in_a_path_with_a_space

test_case "enable: what the unit's sandbox would close" sandboxed
test_case "enable: a sandbox without IP stays without" without_ip
test_case "enable: appends to LD_PRELOAD" appends
test_case "enable: continuation lines and sections" continued_line
test_case "enable: drop-ins of an instance" drop_ins
test_case "enable: alias" alias_of_unit
test_case "enable -d" udp_too
test_case "enable: refused when it would have no effect" overridden
test_case "enable: masked unit" masked
test_case "enable: no such unit" refuse 'nothing: no such unit' dmmrun --root "$root" enable nothing
test_case "enable: not a service" refuse 'ssh.socket is not a service' dmmrun --root "$root" enable ssh.socket
test_case "enable: no unit" status_is 2 dmmrun --root "$root" enable
test_case "--root is for units" status_is 2 dmmrun --root "$root" true
test_case "disable" disables
test_case "disable leaves other drop-ins" keeps_other_drop_ins
finish
