# SPDX-License-Identifier: GPL-2.0-only
#
# Targets of libFuzzer, which only clang has; nothing else needs them:
#   make B=build/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzz
fuzzers := $(patsubst selftests/fuzz/%.c,$B/fuzz/%,$(wildcard selftests/fuzz/*.c))

.PHONY: fuzz
fuzz: $(fuzzers)
$(fuzzers): $B/fuzz/%: $B/obj/selftests/fuzz/%.o $B/lib/libdmm-stack-peer.a $B/lib/libdmm-stack.a
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer
$(fuzzers): LDLIBS = -pthread
