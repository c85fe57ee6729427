# SPDX-License-Identifier: Apache-2.0
ifeq ($(filter rdma,$(WITHOUT)),)
PROGS += $B/bin/dmm-rsocket
TEMPLATES += stacks/rsocket/dmm-rsocket.service.in
rsocket_objs := $(call objs,stacks/rsocket)

$(rsocket_objs): | $B/.deps-rdma
$B/bin/dmm-rsocket: $(rsocket_objs) $(call objs,stacks/common/daemon) $B/lib/libdmm-stack.so
$B/bin/dmm-rsocket: LDLIBS = -lrdmacm -pthread
endif
