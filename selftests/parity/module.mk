# SPDX-License-Identifier: GPL-2.0-only
TESTBINS += $B/selftests/vm/parity
$B/selftests/vm/parity: $(call objs,selftests/parity)
$B/selftests/vm/parity: override CPPFLAGS += -Iselftests
$B/selftests/vm/parity: LDLIBS = -pthread
