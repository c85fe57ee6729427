# SPDX-License-Identifier: GPL-2.0-only
#
# Cases for any stack: on the in-process peer (host tests), and on real sockets (conformance).
stack_peer_tests := $B/selftests/host/test_stack_template
$(stack_peer_tests): $B/obj/selftests/stack/cases.o $B/obj/selftests/stack/peer.o
$(stack_peer_tests): override CPPFLAGS += -Iselftests
