# SPDX-License-Identifier: Apache-2.0
TESTBINS += $(addprefix $B/bench/,sockets stacks policy)
$B/bench/sockets: $(addprefix $B/obj/tools/bench/,sockets.o bench.o)
$B/bench/stacks: $(addprefix $B/obj/tools/bench/,stacks.o bench.o)
$B/bench/policy: $B/obj/tools/bench/policy.o $B/lib/libdmm.so

TESTBINS += $B/bench/links
$B/obj/tools/bench/links.o: override CPPFLAGS += $(NL_CFLAGS)
$B/bench/links: $B/obj/tools/bench/links.o
$B/bench/links: LDLIBS = $(NL_LIBS)
