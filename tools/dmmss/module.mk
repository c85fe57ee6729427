# SPDX-License-Identifier: Apache-2.0
PROGS += $B/bin/dmmss
$(call objs,tools/dmmss): CPPFLAGS += $(NL_CFLAGS)
$B/bin/dmmss: $(call objs,tools/dmmss) $B/lib/libdmm.so | $B/lib/libdmm.so.0
$B/bin/dmmss: LDLIBS = -lnl-3 -ljansson
$B/bin/dmmss: LDFLAGS += -Wl,-rpath,'$$ORIGIN/../lib'
