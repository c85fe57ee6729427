# SPDX-License-Identifier: Apache-2.0
PROGS += $B/bin/dmm-rdma
TEMPLATES += stacks/rdma/dmm-rdma@.service.in
rdma_objs := $(call objs,stacks/rdma)

$(rdma_objs): | $B/.deps-rdma
$B/bin/dmm-rdma: $(rdma_objs) $(call objs,stacks/common/daemon) $B/lib/libdmm-stack.so
$B/bin/dmm-rdma: LDLIBS = -lrdmacm -libverbs
