#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# libFuzzer on the SDK, whose kernel makes no sense, and on the template, whose applications do anything: as far as one gets
# in some seconds. doc/testing.md says how to go on for longer.

. "$(dirname "$(readlink -f "$0")")/../lib.sh"
cd "$(dirname "$(readlink -f "$0")")/../.." || exit

# Not those of the sanitizers that these tests are built with.
unset LD_LIBRARY_PATH MAKEFLAGS MAKELEVEL
build=$PWD/build/fuzz
dir=$(mktemp -d)
cleanup "rm -r $dir"

# runs NAME COUNT: inputs, from nothing; those that fail are kept beside the results. The same seed, so the same ones.
runs() {
	local log=$dir/$1.log

	mkdir "$dir/$1"
	"$build/fuzz/$1" -seed=1 -runs="$2" -max_len=1000 -artifact_prefix="$build/" "$dir/$1" >"$log" 2>&1 || { tail -n 50 "$log"; return 1; }
	expect "Done $2 runs" tail -n 1 "$log"
}

plan 3
test_case "compiles" make -s B="$build" CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzz
test_case "the SDK, on shared memory and events that make no sense" runs sdk 40000
test_case "the template, under applications that do anything" runs stack_template 20000
finish
