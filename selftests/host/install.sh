#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 1800
#
# make install and make uninstall below a directory: everything a user needs is there, works there, and goes again.

. "$(dirname "$(readlink -f "$0")")/../lib.sh"

cd "$(dirname "$(readlink -f "$0")")/../.." || exit
PATH=$PATH:/usr/sbin:/sbin
# What the tests of this place are built and run with is not what is installed.
unset LD_LIBRARY_PATH MAKEFLAGS MAKELEVEL

dest=$(mktemp -d)
cleanup "rm -rf $dest"
# What is built is built against what this machine has, what uses it against what was installed.
make=(env -u PKG_CONFIG_PATH -u PKG_CONFIG_SYSROOT_DIR make -s DESTDIR="$dest" PREFIX=/usr KERNELS="6.1 6.12")
export PKG_CONFIG_PATH=$dest/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest

# Each pattern stands for at least one file.
installed() {
	local pattern

	for pattern; do
		compgen -G "$dest/$pattern" >/dev/null || { echo "no $pattern"; return 1; }
	done
}

manuals() {
	local page

	for page in doc/man/*.[1-9]; do
		installed "usr/share/man/man${page##*.}/${page##*/}" || return
	done
}

# Who looks for the library by its soname finds it.
sonames() {
	local lib name

	for lib in "$dest"/usr/lib/*.so; do
		name=$(readelf -d "$lib" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
		[[ $name && $dest/usr/lib/$name -ef $lib ]] || { echo "$lib: no $name"; return 1; }
	done
}

# depmod_knows PATTERN: of the one kernel whose release matches. Some kernels want their modules compressed.
depmod_knows() {
	local releases

	mapfile -t releases < <(compgen -G "$dest/lib/modules/$1")
	((${#releases[@]} == 1)) && expect $'(^|\n)updates/dmm\.ko[.a-z]*:' depmod -n -b "$dest" "${releases[0]##*/}"
}

versions() {
	local version=$1

	expect "^dmmpolicy $version$" "$dest/usr/bin/dmmpolicy" -V && expect "^dmmss $version$" "$dest/usr/bin/dmmss" -V &&
		expect "^dmmrun $version$" "$dest/usr/bin/dmmrun" -V && expect "^$version$" pkg-config --modversion libdmm &&
		expect "^$version"$'\n'"$version$" modinfo -F version "$dest"/lib/modules/*/updates/dmm.ko*
}

cat >"$dest/user.c" <<'END'
#include <stdio.h>
#include <dmm/dmm.h>
#include <dmm/policy.h>

static int print(void *arg, const struct dmm_change *change)
{
	char text[100];

	(void)arg;
	dmm_change_format(text, sizeof(text), change);
	return puts(text) < 0;
}

int main(int argc, char **argv)
{
	struct dmm_parser *parser;
	int err = dmm_parser_new(&parser);

	if (!err)
		err = dmm_parse_argv(parser, argc - 1, argv + 1, print, NULL);
	dmm_parser_free(parser);
	return err ? 1 : 0;
}
END

# compile OPTION...: with nothing of the sources in reach.
compile() {
	(cd "$dest" && gcc -Wall -Wextra -Werror -o user user.c "$@")
}

shared() {
	local flags

	read -r -a flags < <(pkg-config --cflags --libs libdmm)
	compile "${flags[@]}" &&
		expect '^rule add dport 80 reject$' env LD_LIBRARY_PATH="$dest/usr/lib" "$dest/user" rule add dport http reject
}

static() {
	local flags

	# The other libraries are those of this machine, shared.
	read -r -a flags < <(pkg-config --cflags --libs libdmm)
	compile "${flags[@]/#-ldmm/-l:libdmm.a}" -lnl-genl-3 -lnl-3 && expect '^flush all$' "$dest/user" flush all
}

# A stack as its author compiles it. It gets as far as to the device, which is not there.
stack() {
	local flags

	cp stacks/template/template.c "$dest"
	read -r -a flags < <(pkg-config --cflags --libs libdmm-stack)
	(cd "$dest" && gcc -Wall -Wextra -Werror -o template template.c "${flags[@]}") &&
		refuse 'template: No such file' env LD_LIBRARY_PATH="$dest/usr/lib" "$dest/template" --device "$dest/none"
}

cat >"$dest/peer.c" <<'END'
#include <dmm/stack_peer.h>
#define main template_main
#include "template.c"
#undef main

int main(void)
{
	struct dmm_stack_config config = { .name = "template", .ops = &ops, .caps = DMM_CAPS_ALL };
	char bytes[500];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * i;
	return dmm_peer_fuzz(&config, bytes, sizeof(bytes)) != NULL;
}
END

# Without the module.
peer() {
	local flags

	read -r -a flags < <(pkg-config --cflags --libs libdmm-stack)
	(cd "$dest" && gcc -Wall -Wextra -Werror -o peer peer.c -ldmm-stack-peer "${flags[@]}" -pthread) &&
		env LD_LIBRARY_PATH="$dest/usr/lib" "$dest/peer"
}

private() {
	expect '-lnl-genl-3' pkg-config --static --libs libdmm
}

# What is left, of files and of directories that are ours.
left() {
	find "$dest" ! -type d -o -path '*/dmm' -o -name updates | sort
}

plan 17
test_case "make install" "${make[@]}" install
test_case "programs" installed usr/bin/dmmpolicy usr/bin/dmmss usr/bin/dmmrun
test_case "libraries" installed usr/lib/libdmm.so usr/lib/libdmm.so.0 usr/lib/libdmm.a usr/lib/libdmm-preload.so
test_case "by their sonames" sonames
test_case "headers" installed usr/include/dmm/dmm.h usr/include/dmm/policy.h usr/include/linux/dmm.h usr/include/linux/dmm_netlink.h
test_case "all manual pages" manuals
test_case "the module, where depmod finds it" depmod_knows '6.12.*'
test_case "one for each kernel" depmod_knows '6.1.*'
test_case "all are of one version" versions "$(sed -n 's/^#define DMM_VERSION[[:blank:]]*"\(.*\)"/\1/p' uapi/linux/dmm.h)"
test_case "dmmrun finds its library" expect "^$dest/usr/lib/libdmm-preload.so$" \
	"$dest/usr/bin/dmmrun" printenv LD_PRELOAD
test_case "a program with the shared library" shared
test_case "and with the static one" static
test_case "pkg-config knows what that needs" private
test_case "the template, compiled on its own" stack
test_case "and on the in-process peer" peer

rm -f "$dest"/{user,template,peer}*
: >"$dest/usr/include/linux/other.h"
test_case "make uninstall" "${make[@]}" uninstall
test_case "leaves what is not DMM's" expect "^$dest/usr/include/linux/other.h$" left
finish
