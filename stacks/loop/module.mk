# SPDX-License-Identifier: Apache-2.0
PROGS += $B/bin/dmm-loop
TEMPLATES += stacks/loop/dmm-loop.service.in
$B/bin/dmm-loop: $(call objs,stacks/loop stacks/common/daemon) $B/lib/libdmm-stack.so
