# SPDX-License-Identifier: Apache-2.0
TESTBINS += $B/bench/sockets $B/bench/policy
$B/bench/sockets: $B/obj/tools/bench/sockets.o
$B/bench/policy: $B/obj/tools/bench/policy.o $B/lib/libdmm.so
