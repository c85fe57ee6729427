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

# mute-stack: a stack that never answers.
TESTBINS += $B/selftests/bin/mute-stack
$B/selftests/bin/mute-stack: $B/obj/selftests/policy/mute.o

# policy_*: tests that talk to the kernel through libdmm.
ksft_policy_vm := $(patsubst selftests/policy/%.c,$B/selftests/vm/%,$(wildcard selftests/policy/policy_*.c))
TESTBINS += $(ksft_policy_vm)
$(ksft_policy_vm): $B/selftests/vm/%: $B/obj/selftests/policy/%.o $B/lib/libdmm.a
$(ksft_policy_vm): override CPPFLAGS += -Iselftests $(NL_CFLAGS)
$(ksft_policy_vm): LDLIBS = $(NL_LIBS)
