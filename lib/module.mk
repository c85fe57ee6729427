# SPDX-License-Identifier: Apache-2.0
LIBS += $B/lib/libdmm.so $B/lib/libdmm.a
HEADERS += lib/include/dmm/dmm.h lib/include/dmm/policy.h

$(call objs,lib): CFLAGS += -fPIC -fvisibility=hidden
$(call objs,lib): CPPFLAGS += $(NL_CFLAGS)

$B/lib/libdmm.a: $(call objs,lib)
$B/lib/libdmm.so: $(call objs,lib) lib/libdmm.map
$B/lib/libdmm.so: LDLIBS = $(NL_LIBS)
$B/lib/libdmm.so: LDFLAGS += -Wl,-soname,libdmm.so.0 -Wl,--version-script=lib/libdmm.map -Wl,-z,defs

# The name that programs look for at run time.
LIBS += $B/lib/libdmm.so.0
$B/lib/libdmm.so.0: $B/lib/libdmm.so
	ln -sf libdmm.so $@
