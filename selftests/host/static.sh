#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 1800
#
# What tools can say about the sources without running them.

. "$(dirname "$0")/../lib.sh"
cd "$(dirname "$0")/../.." || exit

# files PATTERN...: those of the sources that match.
files() {
	git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
		[[ ! -f $file ]] || echo "$file"
	done
}

shell_scripts() {
	files | while IFS= read -r file; do
		[[ $file != *.sh && $(head -c 100 "$file" | head -n 1 | tr -d '\0') != '#!'*[/\ ]@(ba|)sh ]] || echo "$file"
	done
}

# The first line, or the second below "#!", names the licence of its part of the tree.
check_licences() {
	local contract='((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)' file want wrong=0

	while IFS= read -r file; do
		case $file in
		LICENSE)			continue ;;
		kmod/netlink_gen.*|uapi/*)	want=$contract ;;
		kmod/*|selftests/*)		want='GPL-2.0-only' ;;
		*)				want='Apache-2.0' ;;
		esac
		sed -n '1{/^#!/!p};2p' "$file" | head -n 1 | grep -qF "SPDX-License-Identifier: $want" ||
			{ echo "$file: not $want"; wrong=1; }
	done < <(files)
	return "$wrong"
}

check_shell() {
	shell_scripts | xargs shellcheck
}

check_spelling() {
	files | xargs codespell --ignore-words-list=crate,ans,nd,iif
}

check_yaml() {
	files '*.yaml' '*.yml' | xargs -r yamllint -s -d '{extends: default, rules: {line-length: {max: 120}, document-start: disable}}'
}

check_manuals() {
	files 'doc/man/*.[1-9]' | xargs -r mandoc -Tlint -Wwarning
}

# Each header compiles alone, in both languages.
check_headers() {
	local header failed=0

	while IFS= read -r header; do
		"$@" -Wall -Wextra -Werror -fsyntax-only -Iuapi -Ilib/include "$header" || failed=1
	done < <(files 'uapi/linux/*.h' 'lib/include/*.h')
	return "$failed"
}

# sparse and the compiler's extra warnings; those in the kernel's own headers are not ours.
check_module() {
	local log

	log=$(make -s B=build/sparse KMOD_FLAGS='C=2 W=1 CF=-D__CHECK_ENDIAN__' "build/sparse/kmod-$1/dmm.ko" 2>&1) ||
		{ echo "$log"; return 1; }
	! grep -E "build/sparse/.*(warning|error):" -A 5 <<<"$log"
}

plan 10
test_case "every file names its licence" check_licences
test_case "shellcheck" check_shell
test_case "codespell" check_spelling
test_case "yamllint" check_yaml
test_case "mandoc -Tlint" check_manuals
test_case "headers compile alone as C" check_headers gcc -std=c11 -xc
test_case "headers compile alone as C++" check_headers g++ -std=c++11 -xc++
test_case "user space compiles with clang" make -s B=build/clang CC=clang user
test_case "no warning of sparse and W=1 on 6.1" check_module 6.1
test_case "no warning of sparse and W=1 on 6.12" check_module 6.12
finish
