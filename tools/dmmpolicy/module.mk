# SPDX-License-Identifier: Apache-2.0
PROGS += $B/bin/dmmpolicy
$B/bin/dmmpolicy: $(call objs,tools/dmmpolicy) $B/lib/libdmm.so | $B/lib/libdmm.so.0
$B/bin/dmmpolicy: LDLIBS = -ljansson
$B/bin/dmmpolicy: LDFLAGS += -Wl,-rpath,'$$ORIGIN/../lib'
