# SPDX-License-Identifier: Apache-2.0
#
# libdmm-stack: the SDK for stacks.  libdmm-stack-peer: the kernel's side in the same process, for tests.
LIBS	+= $B/lib/libdmm-stack.so $B/lib/libdmm-stack.so.0 $B/lib/libdmm-stack.a $B/lib/libdmm-stack-peer.a
HEADERS	+= lib/include/dmm/stack.h lib/include/dmm/stack_peer.h
TEMPLATES += lib/stack/libdmm-stack.pc.in

$(call objs,lib/stack) $(call objs,lib/stack/peer): CFLAGS += -fPIC -fvisibility=hidden

$B/lib/libdmm-stack.a: $(call objs,lib/stack)
# With the rings, which the shared library does not show.
$B/lib/libdmm-stack-peer.a: $(call objs,lib/stack/peer) $B/obj/lib/stack/ring.o
$B/lib/libdmm-stack.so: $(call objs,lib/stack) lib/stack/libdmm-stack.map
$B/lib/libdmm-stack.so: LDFLAGS += -Wl,-soname,libdmm-stack.so.0 -Wl,--version-script=lib/stack/libdmm-stack.map -Wl,-z,defs
$B/lib/libdmm-stack.so: LDLIBS = -pthread

$B/lib/libdmm-stack.so.0: $B/lib/libdmm-stack.so
	ln -sf libdmm-stack.so $@
