# SPDX-License-Identifier: GPL-2.0-only
#
# Targets of libFuzzer, which only clang has; nothing else needs them:
#   make B=build/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzz
fuzzers := $(addprefix $B/fuzz/,sdk stack_template $(if $(filter lwip,$(WITHOUT)),,lwip_rx))

.PHONY: fuzz
fuzz: $(fuzzers)
$(fuzzers): $B/fuzz/%: $B/obj/selftests/fuzz/%.o $B/lib/libdmm-stack-peer.a $B/lib/libdmm-stack.a
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer
$(fuzzers): LDLIBS = -pthread

$B/fuzz/lwip_rx: $B/obj/selftests/fuzz/port.o $(lwip_core)
$B/fuzz/lwip_rx: override CPPFLAGS += -Iselftests $(lwip_flags)
$B/fuzz/lwip_rx: LDLIBS = -lbsd -pthread
$B/obj/selftests/fuzz/lwip_rx.o $B/obj/selftests/fuzz/port.o: | $B/lwip
