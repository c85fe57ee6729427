# SPDX-License-Identifier: Apache-2.0
#
# dmm-lwip. lwIP's sources are Debian's, in the cache; $B/lwip leads there.
PROGS += $B/bin/dmm-lwip
TEMPLATES += stacks/lwip/dmm-lwip@.service.in
lwip_parts := core/def core/inet_chksum core/init core/ip core/mem core/memp core/netif core/pbuf core/tcp core/tcp_in \
	      core/timeouts core/udp core/ipv4/dhcp core/ipv4/etharp core/ipv4/icmp core/ipv4/ip4 core/ipv4/ip4_addr \
	      core/ipv4/ip4_frag core/ipv6/ethip6 core/ipv6/icmp6 core/ipv6/ip6 core/ipv6/ip6_addr core/ipv6/ip6_frag \
	      core/ipv6/mld6 core/ipv6/nd6 netif/ethernet
lwip_own   := $(call objs,stacks/lwip)
lwip_objs  := $(lwip_parts:%=$B/obj/lwip/%.o) $B/obj/stacks/lwip/port/tcp_out.o
# The stack without its process, for tests.
lwip_core  := $(filter-out %/main.o %/workers.o,$(lwip_own)) $(lwip_objs) $B/obj/stacks/common/daemon/config.o
lwip_unchecked := -fno-sanitize=alignment,shift
lwip_flags := -isystem $B/lwip/include -isystem $B/lwip -Istacks/lwip/port

$B/bin/dmm-lwip: $(lwip_own) $(lwip_objs) $(call objs,stacks/common/daemon) $B/lib/libdmm-eal.a $B/lib/libdmm-stack.so
$B/bin/dmm-lwip: LDLIBS = $(EAL_LIBS)

$(lwip_own) $(lwip_objs): cppflags += $(lwip_flags)
$(lwip_own) $(lwip_objs): | $B/lwip

# Not our code, so not our warnings. It reads headers at odd addresses, and shifts into the sign: all compilers do that well.
$(lwip_objs): ccflags += -w $(if $(SANITIZE),$(lwip_unchecked))
$B/obj/lwip/%.o:
	@mkdir -p $(@D)
	$(CC) $(cppflags) $(ccflags) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $B/lwip/$*.c

$B/lwip: | $B/.deps-lwip
	@mkdir -p $(@D)
	dir=$$(tools/lwip-source) && ln -sfn "$$dir" $@
