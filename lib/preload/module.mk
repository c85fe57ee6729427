# SPDX-License-Identifier: Apache-2.0
#
# Linked without start files and libraries: loads into programs of any C library. What compilers add of their own
# (stack protector, sanitizers) would ask for one.
LIBS += $B/lib/libdmm-preload.so
$B/lib/libdmm-preload.so: $(call objs,lib/preload) lib/preload/preload.map
$B/lib/libdmm-preload.so: override CFLAGS += -fno-stack-protector -U_FORTIFY_SOURCE -fno-sanitize=all
$B/lib/libdmm-preload.so: override LDFLAGS += -nostdlib -Wl,-soname,libdmm-preload.so \
	-Wl,-z,now -Wl,--hash-style=both -Wl,--version-script=lib/preload/preload.map
