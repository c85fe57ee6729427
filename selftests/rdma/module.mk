# SPDX-License-Identifier: GPL-2.0-only
TESTBINS += $B/selftests/bin/rdma-fault
$B/selftests/bin/rdma-fault: $B/obj/selftests/rdma/fault.o
ifeq ($(filter rdma,$(WITHOUT)),)
TESTBINS += $B/selftests/bin/rdma-hostile
$B/obj/selftests/rdma/hostile.o: | $B/.deps-rdma
$B/selftests/bin/rdma-hostile: $B/obj/selftests/rdma/hostile.o $B/obj/stacks/rdma/wire.o
$B/selftests/bin/rdma-hostile: LDLIBS = -lrdmacm -libverbs
endif
