# SPDX-License-Identifier: GPL-2.0-only
#
# Programs of the tests unload.sh, netns.sh and user.sh, and a test of its own.
load_bin := $B/selftests/bin/hold $B/selftests/bin/churn
TESTBINS += $(load_bin) $B/selftests/vm/generations
$(load_bin): $B/selftests/bin/%: $B/obj/selftests/load/%.o $B/obj/selftests/load/net.o
$B/selftests/vm/generations: $B/obj/selftests/load/generations.o $B/obj/selftests/load/net.o $B/lib/libdmm.so
$(load_bin) $B/selftests/vm/generations: override CPPFLAGS += -Iselftests
$B/selftests/vm/generations: LDLIBS = -pthread
