# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests vm/lwip*.sh use besides real programs.
TESTBINS += $B/selftests/bin/traffic
$B/selftests/bin/traffic: $B/obj/selftests/lwip/traffic.o
$B/selftests/bin/traffic: override CPPFLAGS += -Iselftests
