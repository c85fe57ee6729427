#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 900
# kernel: 6.1
#
# dmm-lwip on other carriers than a veth pair with ordinary frames: jumbo frames, a tap device, a pair of virtio cards on
# PCI, one of which is the kernel's, by each of the drivers that hand it over, and another dmm-lwip at the other end.

# shellcheck source=selftests/lwip/common.sh
. "$(dirname "$0")/../lwip/common.sh"

# far_end INTERFACE: where the addresses of the other end are from now on.
far_end() {
	"${far[@]}" ip link set far down
	"${far[@]}" ip link set "$1" up
	"${far[@]}" ip addr add 10.77.0.1/24 dev "$1"
	"${far[@]}" ip addr add fd77::1/64 dev "$1" nodad
}

stop() {
	kill "$daemon"
	wait "$daemon"
}

# carries NAME: files, in all directions.
carries() {
	test_case "$1: from lwIP" fetch dmmrun http://10.77.0.1:8000/data
	test_case "$1: from lwIP, IPv6" fetch dmmrun 'http://[fd77::1]:8000/data'
	test_case "$1: to lwIP" fetch "${far[@]}" http://10.77.0.2:8001/data
	test_case "$1: to lwIP, IPv6" fetch "${far[@]}" 'http://[fd77::2]:8001/data'
}

# frames rx|tx: "bytes frames" that came by "near".
frames() {
	awk -v at="$([[ $1 == rx ]] && echo 2 || echo 10)" '$1 == "near:" { print $at, $(at + 1) }' /proc/net/dev
}

# mean_frame rx|tx BYTES COMMAND...: the frames of this direction have so many bytes and more, on average.
mean_frame() {
	local bytes frames more_bytes more_frames

	read -r bytes frames < <(frames "$1")
	"${@:3}" || return
	read -r more_bytes more_frames < <(frames "$1")
	((more_bytes -= bytes, more_frames -= frames))
	((more_frames && more_bytes >= $2 * more_frames)) || { echo "$more_bytes bytes in $more_frames frames"; return 1; }
}

head -c 400000 /dev/urandom >data
dmmpolicy rule add tcp stack lwip,kernel
test_case "a server on the kernel" serve far.log Serving "${far[@]}" /usr/bin/python3 -u -m http.server --bind :: 8000
test_case "a server on lwIP" serve near.log Serving dmmrun /usr/bin/python3 -u -m http.server --bind :: 8001

# Frames as on a wire: the kernel shall not leave their segmentation to the device. Without it its frames are of one
# segment; ours always are.
"${far[@]}" ip link set far mtu 9000 gso_max_segs 1
lwip+=(--mtu 9000)
start >start.log || note "$(<start.log)"
test_case "MTU 9000" expect 'mtu 9000' ip link show near
carries "MTU 9000"
test_case "MTU 9000: frames from the kernel are that large" \
	mean_frame rx 7000 fetch dmmrun http://10.77.0.1:8000/data
test_case "MTU 9000: those from lwIP, too" mean_frame tx 7000 fetch "${far[@]}" http://10.77.0.2:8001/data
stop

# Debian's kernels have all of these modules; that of check-debug was built without.
if has_module tun; then
	modprobe tun
	lwip=(dmm-lwip --port "dpdk:net_tap0,iface=dmmtap" --address 10.77.0.2/24 --address fd77::2/64)
	start >start.log || note "$(<start.log)"
	test_case "a tap device" ip link set dmmtap netns "$other"
	far_end dmmtap
	carries tap
	stop
else
	skip "a tap device" "the kernel has no tun"
fi

pci=/sys/bus/pci/devices

# hand_over DRIVER: what has a card, for dmm-lwip to have it.
hand_over() {
	local device=$pci/0000:00:10.0

	modprobe "$1" || return
	[[ ! -e $device/driver ]] || echo 0000:00:10.0 >"$device/driver/unbind"
	echo "$1" >"$device/driver_override"
	echo 0000:00:10.0 >/sys/bus/pci/drivers_probe
	[[ $(readlink "$device/driver") == */"$1" ]]
}

# kernel_card: the other card, whose name is printed, is for the kernel at the other end. Cards are in the namespace of the
# machine.
kernel_card() {
	local card

	modprobe virtio_net || return
	[[ -e $pci/0000:00:11.0/driver ]] || echo 0000:00:11.0 >/sys/bus/pci/drivers_probe
	card=$(echo $pci/0000:00:11.0/virtio*/net/*)
	nsenter -t 1 -n ip link set "${card##*/}" netns "$other" && echo "${card##*/}"
}

hugepages() {
	mkdir -p /dev/hugepages
	mountpoint -q /dev/hugepages || mount -t hugetlbfs none /dev/hugepages
	echo "$1" >/proc/sys/vm/nr_hugepages
}

if ! has_module virtio_net || ! has_module vfio-pci; then
	skip "a pair of virtio cards" "the kernel has no drivers for them"
elif [[ -e $pci/0000:00:11.0 ]]; then
	card=$(kernel_card) || note "$card"
	far_end "$card"
	card=(dmm-lwip --port dpdk:0000:00:10.0 --address 10.77.0.2/24 --address fd77::2/64)

	test_case "uio: a card" hand_over uio_pci_generic
	hugepages 128
	lwip=("${card[@]}" --hugepages --memory 64)
	start >start.log || note "$(<start.log)"
	carries uio
	stop
	hugepages 0

	test_case "vfio: a card" hand_over vfio-pci
	lwip=("${card[@]}")
	start >start.log || note "$(<start.log)"
	carries vfio
	stop
	# With nobody at the other end of the wire the kernel's card keeps what it shall send for ever. Resets are sent by a
	# socket for each processor, which has no room for more then, wherever they go.
	echo 0000:00:11.0 >$pci/0000:00:11.0/driver/unbind
else
	skip "a pair of virtio cards" "the machine has none (tools/vm/run --nics)"
fi

# The far end is another namespace, with rules and a stack of its own.
ip link add near2 type veth peer name far2 netns "$other"
ip link set near2 addrgenmode none up
"${far[@]}" ip link set far2 addrgenmode none up
far_lwip() {
	"${far[@]}" dmm-lwip --port far2 --address 10.77.0.1/24 --address fd77::1/64 >far-lwip.log 2>&1 &
	echo $! >>servers
	wait_for 60 far_registered
}
far_registered() {
	"${far[@]}" dmmpolicy stack show | grep -q '10\.77\.0\.1'
}
"${far[@]}" dmmpolicy rule add tcp stack lwip strict
far_lwip || note "$(<far-lwip.log)"
lwip=(dmm-lwip --port near2 --address 10.77.0.2/24 --address fd77::2/64)
start >start.log || note "$(<start.log)"
test_case "lwIP at both ends: a server there" serve far2.log ready "${far[@]}" dmmrun traffic serve 8002
test_case "lwIP at both ends: a server here" serve near2.log ready dmmrun traffic serve 8003
test_case "lwIP at both ends" dmmrun traffic churn 100 20 10.77.0.1 8002
test_case "lwIP at both ends: IPv6" dmmrun traffic churn 100 20 fd77::1 8002
test_case "lwIP at both ends: the other direction" "${far[@]}" dmmrun traffic hold 100 20 10.77.0.2 8003
test_case "lwIP at both ends: IPv6, the other direction" "${far[@]}" dmmrun traffic hold 100 20 fd77::2 8003
test_case "lwIP at both ends: files" fetch "${far[@]}" dmmrun http://10.77.0.2:8001/data
test_case "lwIP at both ends: files by IPv6" fetch "${far[@]}" dmmrun 'http://[fd77::2]:8001/data'
finish
