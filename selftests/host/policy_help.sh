#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The help of the commands is their grammar: the manual pages have it word for word.

. "$(dirname "$(readlink -f "$0")")/../lib.sh"

top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
bin=${DMM_BUILD:-$top/build}/bin
command -v mandoc >/dev/null || skip_all "mandoc is missing"

# text PAGE...: without formatting and blanks, in which help and manual may differ.
text() {
	local page

	for page; do
		mandoc -Tutf8 "$top/doc/man/$page" | sed 's/.\x08//g'
	done | tr -d ' \t\n'
}

has() {
	[[ $1 == *"${2//[[:space:]]/}"* ]] || { echo "not in the manual: $2"; return 1; }
}

policy=$(text dmmpolicy.8 dmm-policy.5)
while read -r line; do
	test_case "dmmpolicy $line" has "$policy" "$line"
done < <("$bin/dmmpolicy" help | sed -n 's/^dmmpolicy //p')

# The words of the language that stand for themselves.
for word in $("$bin/dmmpolicy" help | sed -n '/^[A-Z]* :=/,$p' | sed 's/^[A-Z]* :=//' | grep -oE '\b[a-z][a-z0-9]+\b' | sort -u); do
	test_case "$word is described" has "$policy" "$word"
done

ss=$(text dmmss.8)
while read -r option; do
	test_case "dmmss $option" has "$ss" "$option"
done < <("$bin/dmmss" -h | grep -oE '^  -[A-Za-z0-9], --[a-z0-9]+' | sed 's/^  //')
finish
