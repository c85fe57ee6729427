# SPDX-License-Identifier: GPL-2.0-only
#
# Cases for any stack: on the in-process peer (host tests), and on real sockets (conformance).
stack_tests := $(addprefix $B/selftests/host/test_stack_,template loop queues lwip lwip_net)
$(stack_tests): $B/obj/selftests/stack/cases.o $B/obj/selftests/stack/peer.o
$(stack_tests): override CPPFLAGS += -Iselftests
$B/selftests/host/test_stack_loop: $(filter-out %/main.o,$(call objs,stacks/loop))

$B/selftests/host/test_stack_queues: $B/obj/selftests/stack/queues.o

lwip_tests := $B/selftests/host/test_stack_lwip $B/selftests/host/test_stack_lwip_net
$(lwip_tests): $(lwip_core) $B/lib/libdmm-eal.a
$(lwip_tests): LDLIBS = $(EAL_LIBS)
$B/selftests/host/test_stack_lwip_net: $B/obj/selftests/stack/lwip_net.o
$B/selftests/host/test_stack_lwip: override CPPFLAGS += $(lwip_flags)
$B/obj/selftests/stack/lwip_net.o: override CPPFLAGS += $(lwip_flags)
$B/obj/selftests/stack/lwip_net.o $B/obj/selftests/host/test_stack_lwip.o: | $B/lwip

TESTBINS += $B/selftests/bin/stack-cases
$B/selftests/bin/stack-cases: $(addprefix $B/obj/selftests/stack/,cases.o kernel.o main.o)
$B/selftests/bin/stack-cases: override CPPFLAGS += -Iselftests

TESTBINS += $B/selftests/bin/stack-queues
$B/selftests/bin/stack-queues: $(addprefix $B/obj/selftests/stack/,queues_main.o queues.o) $B/lib/libdmm-stack.a
$B/selftests/bin/stack-queues: LDLIBS = -pthread

TESTBINS += $B/selftests/vm/stack_queues
$B/selftests/vm/stack_queues: $(addprefix $B/obj/selftests/stack/,stack_queues.o raw.o)
$B/selftests/vm/stack_queues: override CPPFLAGS += -Iselftests

TESTBINS += $B/selftests/vm/stack_kill
$B/selftests/vm/stack_kill: $B/obj/selftests/stack/stack_kill.o
$B/selftests/vm/stack_kill: override CPPFLAGS += -Iselftests

TESTBINS += $B/selftests/vm/stack_connect
$B/selftests/vm/stack_connect: $B/obj/selftests/stack/stack_connect.o
$B/selftests/vm/stack_connect: override CPPFLAGS += -Iselftests
$B/selftests/vm/stack_connect: LDLIBS = -pthread

TESTBINS += $B/selftests/vm/stack_idle
$B/selftests/vm/stack_idle: $B/obj/selftests/stack/stack_idle.o $B/lib/libdmm-stack.a
$B/selftests/vm/stack_idle: override CPPFLAGS += -Iselftests
$B/selftests/vm/stack_idle: LDLIBS = -pthread

# On /dev/dmm without the SDK.
raw_tests := $(addprefix $B/selftests/vm/,dev_refuse stack_bind stack_hostile stack_isolation stack_lies stack_listen \
	stack_limits stack_socket)
TESTBINS += $(raw_tests)
$(raw_tests): $B/selftests/vm/%: $B/obj/selftests/stack/%.o $B/obj/selftests/stack/raw.o
$(raw_tests): override CPPFLAGS += -Iselftests
$(raw_tests): LDLIBS = -pthread

TESTBINS += $B/selftests/vm/stack_transfer
$B/selftests/vm/stack_transfer: $B/obj/selftests/stack/stack_transfer.o
$B/selftests/vm/stack_transfer: override CPPFLAGS += -Iselftests
