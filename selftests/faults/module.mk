# SPDX-License-Identifier: GPL-2.0-only
TESTBINS += $B/selftests/vm/faults
$B/selftests/vm/faults: $(call objs,selftests/faults) $B/obj/selftests/policy/nl.o \
	$B/obj/selftests/stack/raw.o
$B/selftests/vm/faults: override CPPFLAGS += -Iselftests $(NL_CFLAGS)
$B/selftests/vm/faults: LDLIBS = $(NL_LIBS)
