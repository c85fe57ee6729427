#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tools/deps and tools/vm/kernel with an apt-get that is not one: what they ask for when the index of packages is good,
# old or not there.

. "$(dirname "$(readlink -f "$0")")/../lib.sh"

kernel=$(readlink -f "$(dirname "$(readlink -f "$0")")/../../tools/vm/kernel")
deps=$(readlink -f "$(dirname "$(readlink -f "$0")")/../../tools/deps")
own_dir
mkdir bin
export STUBS=$dir

# stub NAME: a program of this name, whose text follows. Nothing of this machine is changed: those that deps runs as root
# are such.
stub() {
	{ echo '#!/bin/bash'; cat; } >"bin/$1"
	chmod +x "bin/$1"
}
stub sudo <<<'exec "$@"'
stub tee <<<'cat >/dev/null'
stub chmod <<<''
stub rm <<<''
# Packages are installed if the file "installed" has them.
stub dpkg-query <<'END'
grep -qx "${*: -1}" installed && echo -n installed
END
# It installs and downloads when the index is good.
stub apt-get <<'END'
echo "$*" >>"$STUBS/log"
case " $* " in
*" update "*)	cp "$STUBS/after" "$STUBS/index" ;;
*" install "*)	[[ $(<index) == good ]] || exit 100
		for word; do [[ $word == -* || $word == install ]] || echo "$word"; done >>installed ;;
*" download "*)	[[ $(<"$STUBS/index") == good ]] || exit 100 ;;
esac
END
# One kernel, whatever is asked for.
stub apt-cache <<'END'
case $1 in
pkgnames)	[[ $(<index) == none || $2 != linux-image-* ]] || echo linux-image-6.12.7+deb12-amd64 ;;
show)		echo "Version: 6.12.7-1" ;;
esac
END
stub dpkg-deb <<<'exit 1'

# asked INDEX AFTER WANTED: what apt-get is asked for, with an index that is AFTER once it is updated.
asked() {
	local status=0

	: >log
	: >installed
	echo "$1" >index
	echo "$2" >after
	PATH=$dir/bin:$PATH "$deps" build >output 2>&1 || status=$?
	[[ $(grep -oE ' (install|update)( |$)' log | xargs) == "$3" ]] || { cat log output; return 1; }
	return "$status"
}

# kernel_asked INDEX AFTER WANTED: the same of a kernel that is not in the cache; there is nothing to unpack in the end.
kernel_asked() {
	: >log
	echo "$1" >index
	echo "$2" >after
	/bin/rm -rf cache
	PATH=$dir/bin:$PATH DMM_CACHE=$dir/cache "$kernel" 6.12 >output 2>&1
	[[ $(grep -oE ' (download|update)( |$)' log | xargs) == "$3" ]] || { cat log output; return 1; }
}

plan 9
test_case "a good index is used" asked good bad install
test_case "one that is old or absent is updated" asked bad good "install update install"
test_case "once" eval "! asked bad bad 'install update install' && [[ \$(grep -c update log) == 1 ]]"
test_case "everything is there then" eval "asked bad good 'install update install' && [[ \$(sort -u installed | wc -l) -gt 5 ]]"
test_case "and nothing is asked" eval ": >log && PATH=$dir/bin:\$PATH $deps build && [[ ! -s log ]]"
test_case "a kernel by a good index" kernel_asked good bad download
test_case "by an old one" kernel_asked bad good "download update download"
test_case "by none" kernel_asked none good "update download"
test_case "by one that stays bad" kernel_asked bad bad "download update download"
finish
