#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What several threads do to the SDK's memory, under ThreadSanitizer: byte rings with a thread on either side, a stack of one
# thread and the applications of the in-process peer in another, and a stack of four queues.

. "$(dirname "$(readlink -f "$0")")/../lib.sh"
cd "$(dirname "$(readlink -f "$0")")/../.." || exit

# Not those of the sanitizers that these tests are built with.
unset LD_LIBRARY_PATH MAKEFLAGS MAKELEVEL
build=build/tsan
tests=(test_stack_ring test_stack_template test_stack_queues)
declare -A arguments=([test_stack_ring]=threads)

compile() {
	make -s B="$build" SANITIZE=thread "${tests[@]/#/$build/selftests/host/}"
}

# Its shadow memory needs the usual layout of addresses.
silent() {
	local output

	output=$(TSAN_OPTIONS=halt_on_error=1 setarch -R "$build/selftests/host/$1" ${arguments[$1]:+"${arguments[$1]}"} 2>&1) || { echo "$output"; return 1; }
}

# A sanitizer that is not there would find nothing.
finds_a_race() {
	local dir
	dir=$(mktemp -d)
	cat >"$dir/race.c" <<-'END'
		#include <pthread.h>
		static int shared;
		static void *write(void *arg) { shared++; return arg; }
		int main(void)
		{
			pthread_t t;

			pthread_create(&t, NULL, write, NULL);
			shared++;
			return pthread_join(t, NULL);
		}
	END
	gcc -fsanitize=thread -pthread -o "$dir/race" "$dir/race.c" && refuse 'data race' setarch -R "$dir/race"
	local status=$?
	rm -r "$dir"
	return "$status"
}

plan $((2 + ${#tests[@]}))
test_case "the sanitizer finds a race" finds_a_race
test_case "compiles" compile
for test in "${tests[@]}"; do
	test_case "$test" silent "$test"
done
finish
