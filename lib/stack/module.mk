# SPDX-License-Identifier: Apache-2.0
#
# libdmm-stack: the SDK for stacks.
LIBS	+= $B/lib/libdmm-stack.so $B/lib/libdmm-stack.so.0 $B/lib/libdmm-stack.a
HEADERS	+= lib/include/dmm/stack.h
TEMPLATES += lib/stack/libdmm-stack.pc.in

$(call objs,lib/stack): CFLAGS += -fPIC -fvisibility=hidden

$B/lib/libdmm-stack.a: $(call objs,lib/stack)
$B/lib/libdmm-stack-peer.a:
$B/lib/libdmm-stack.so: $(call objs,lib/stack) lib/stack/libdmm-stack.map
$B/lib/libdmm-stack.so: LDFLAGS += -Wl,-soname,libdmm-stack.so.0 -Wl,--version-script=lib/stack/libdmm-stack.map -Wl,-z,defs
$B/lib/libdmm-stack.so: LDLIBS = -pthread

$B/lib/libdmm-stack.so.0: $B/lib/libdmm-stack.so
	ln -sf libdmm-stack.so $@
