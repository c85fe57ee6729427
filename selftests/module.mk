# SPDX-License-Identifier: GPL-2.0-only
#
# Each selftests/vm/NAME.c is a test that needs the module, each selftests/host/NAME.c one that does not, and each
# selftests/bin/NAME.c a program that tests use. Larger ones have a directory and a module.mk of their own.
ksft_vm	  := $(patsubst %.c,$B/%,$(wildcard selftests/vm/*.c))
ksft_host := $(patsubst %.c,$B/%,$(wildcard selftests/host/*.c))
# What is not built is not tested.
ksft_host := $(filter-out $(if $(filter lwip,$(WITHOUT)),%/test_stack_lwip %/test_stack_lwip_net) \
	     $(if $(filter common/eal,$(WITHOUT)),%/test_eal) $(if $(filter rdma,$(WITHOUT)),%/test_rdma_wire),$(ksft_host))
ksft_bin  := $(patsubst %.c,$B/%,$(wildcard selftests/bin/*.c))
TESTBINS  += $(ksft_vm) $(ksft_host) $(ksft_bin)

$(ksft_vm) $(ksft_host) $(ksft_bin): $B/%: $B/obj/%.o
$(ksft_vm) $(ksft_host) $(ksft_bin): override CPPFLAGS += -Iselftests

ksft_policy := $(filter %/test_policy_lang %/test_policy_table,$(ksft_host))
$(ksft_policy): $B/lib/libdmm.a
$(ksft_policy): LDLIBS = $(NL_LIBS)

ksft_stack := $(filter $B/selftests/host/test_stack%,$(ksft_host))
$(ksft_stack): $B/lib/libdmm-stack-peer.a $B/lib/libdmm-stack.a
$(ksft_stack): LDLIBS = -pthread

$B/selftests/host/test_eal: $B/lib/libdmm-eal.a
$B/selftests/host/test_eal: LDLIBS = $(EAL_LIBS)

$B/selftests/host/test_rdma_wire: $B/obj/stacks/rdma/wire.o
