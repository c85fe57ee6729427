# SPDX-License-Identifier: Apache-2.0
#
# libdmm-eal: packet I/O for stacks. Of DPDK only the libraries and drivers below are linked, statically: starting with all
# of Debian's as shared objects takes four times as long. "make EAL_DRIVERS=..." for others, as net_ixgbe.
EAL_DRIVERS := net_af_packet net_af_xdp net_memif net_null net_ring net_tap net_virtio
eal_dpdk := eal kvargs telemetry ring rcu mempool mempool_ring mbuf net meter ethdev pci bus_pci bus_vdev hash gso \
	    ip_frag cryptodev security
EAL_LIBS := -Wl,--whole-archive $(eal_dpdk:%=-l:librte_%.a) $(EAL_DRIVERS:%=-l:librte_%.a) -Wl,--no-whole-archive \
	    -lxdp -lbpf -lnuma -lbsd -pthread -lm
eal_objs := $(call objs,stacks/common/eal)

LIBS	+= $B/lib/libdmm-eal.a
HEADERS	+= lib/include/dmm/eal.h
TEMPLATES += stacks/common/eal/libdmm-eal.pc.in

# DPDK's headers are not written for our warnings.
$(eal_objs): cppflags += $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libdpdk))
$(eal_objs): | $B/.deps-eal
$B/lib/libdmm-eal.a: $(eal_objs)
