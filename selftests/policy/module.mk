# SPDX-License-Identifier: GPL-2.0-only
#
# netlink_*: the netlink half of the policy, attribute by attribute.
ksft_netlink := $(patsubst selftests/policy/%.c,$B/selftests/vm/%,$(wildcard selftests/policy/netlink_*.c))
TESTBINS += $(ksft_netlink)
$(ksft_netlink): $B/selftests/vm/%: $B/obj/selftests/policy/%.o $B/obj/selftests/policy/nl.o
$(ksft_netlink): override CPPFLAGS += -Iselftests $(NL_CFLAGS)
$(ksft_netlink): LDLIBS = $(NL_LIBS)

# policy-cases: what the policy decides, in files of its own language.
TESTBINS += $B/selftests/bin/policy-cases
$B/selftests/bin/policy-cases: $(patsubst %,$B/obj/selftests/policy/%.o,cases cases_socket) $B/lib/libdmm.a
$B/selftests/bin/policy-cases: override CPPFLAGS += -Iselftests
$B/selftests/bin/policy-cases: LDLIBS = $(NL_LIBS)
