#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 900
#
# Frames of a fuzzer for dmm-lwip (selftests/fuzz/lwip_rx.c), some seconds of it. Longer, from the top of the tree:
#
#   make B=build/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzz
#   mkdir seeds corpus && DMM_SEEDS=seeds build/fuzz/fuzz/lwip_rx
#   build/fuzz/fuzz/lwip_rx -max_len=8192 -max_total_time=3600 -detect_leaks=0 corpus seeds

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"
cd "$(dirname "$0")/../.." || exit

dir=$(mktemp -d)
cleanup "rm -rf $dir"

has_fuzzer() {
	echo 'int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return data && size > 9999; }' >"$dir/try.c"
	clang -fsanitize=fuzzer -o "$dir/try" "$dir/try.c" && "$dir/try" -runs=1
}

build() {
	make -s B=build/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined build/fuzz/fuzz/lwip_rx
}

write_seeds() {
	mkdir -p "$dir/seeds" "$dir/corpus"
	DMM_SEEDS=$dir/seeds "$fuzzer"
	[[ $(find "$dir/seeds" -type f | wc -l) == 6 ]]
}

# The seeds get as far as they are meant to: what the stack sends back is counted by what is covered.
run() {
	"$fuzzer" -seed=1 -detect_leaks=0 -runs="$1" -max_len=8192 -artifact_prefix="$dir/" -print_final_stats=1 "${@:2}" >"$dir/log" 2>&1 ||
		{ tail -n 60 "$dir/log"; base64 "$dir"/crash-* "$dir"/leak-* "$dir"/timeout-* 2>/dev/null; return 1; }
}

has_fuzzer >/dev/null 2>&1 || skip_all "clang has no fuzzer here"
fuzzer=build/fuzz/fuzz/lwip_rx
test_case "it is built" build
test_case "inputs to begin with" write_seeds
test_case "20000 runs" run 20000 "$dir/corpus" "$dir/seeds"
finish
