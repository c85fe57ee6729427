#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tracepoints: a decision, and each kind of event that goes to a stack and comes from it.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

((EUID == 0)) || skip_all "needs root"
[[ -c /dev/dmm ]] || skip_all "/dev/dmm is not there"
events=/sys/kernel/tracing/events/dmm
[[ -d $events ]] || skip_all "tracefs is not mounted"
ip link set lo up

own_dir

# A buffer of our own: whoever else traces is not disturbed.
buffer=/sys/kernel/tracing/instances/dmm-$$
mkdir "$buffer" || skip_all "no buffer for traces"
cleanup "rmdir $buffer"

shown() {
	dmmpolicy stack show | grep -q "^$1@"
}


# A connection in which each side makes the other wait, ends, and what cannot be connected.
cat >talk.py <<'END'
import socket, sys

def talk(port):
    server = socket.socket()
    server.bind(("127.0.0.1", port))
    server.listen(10)
    client = socket.create_connection(("127.0.0.1", port))
    peer = server.accept()[0]
    for i in range(50):
        client.sendall(b"x" * 3000)
        assert len(peer.recv(3000, socket.MSG_WAITALL)) == 3000
        peer.sendall(b"y" * 3000)
        assert len(client.recv(3000, socket.MSG_WAITALL)) == 3000
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Until there is no room: the other end makes some.
    client.setblocking(False)
    sent = 0
    try:
        while True:
            sent += client.send(b"z" * 65536)
    except BlockingIOError:
        pass
    while sent:
        sent -= len(peer.recv(1 << 20))
    client.shutdown(socket.SHUT_WR)
    assert peer.recv(1) == b""
    peer.close()
    client.close()
    server.close()
    try:
        socket.create_connection(("127.0.0.1", port))
        sys.exit("connected to nobody")
    except ConnectionRefusedError:
        pass

for port in sys.argv[1:]:
    talk(int(port))
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", int(sys.argv[1])))
END

talk() {
	dmmrun -d python3 talk.py "$@" || return
	# Events of what is closed come a bit later.
	wait_for 60 quiet
}
quiet() {
	dmmpolicy -j stack show | python3 -c '
import json, sys
sys.exit(any(s["live"] + s["listeners"] for s in json.load(sys.stdin) if "live" in s))'
}
lines() {
	grep -c . "$buffer/trace" | grep -qx "$1"
}
# traced PATTERN
traced() {
	grep -qE "$1" "$buffer/trace" || { tail -n 50 "$buffer/trace"; false; }
}

dmm-template >template.log 2>&1 & cleanup "kill $!"
dmm-loop >loop.log 2>&1 & cleanup "kill $!"
test_case "a stack that copies" wait_for 60 shown template
test_case "one that pairs" wait_for 60 shown loop
dmmpolicy rule add tcp dport 7301 stack template strict
dmmpolicy rule add listen sport 7301 stack template
dmmpolicy rule add tcp dport 7302 stack loop strict
dmmpolicy rule add listen sport 7302 stack loop

: >"$buffer/trace"
test_case "sockets on both, while nobody traces" talk 7301 7302
test_case "leave no trace" eval "! grep -q dmm_ $buffer/trace"

echo 1 >"$buffer/events/dmm/enable"
test_case "the same with all tracepoints on" talk 7301 7302
echo 0 >"$buffer/events/dmm/enable"

test_case "a decision" traced "dmm_decide: .* role=connect .*:7301 stack=template reason=rule"
for event in connect listen bind accept tx-data rx-space shutdown close option; do
	test_case "to the stack: $event" traced "dmm_event_down: template@0 queue=0 $event conn=0x[0-9a-f]+ value=-?[0-9]+ flags=0x[0-9a-f]+\$"
done
for event in connected listening incoming rx-data rx-full tx-space eof error closed; do
	test_case "from it: $event" traced "dmm_event_up: template@0 queue=0 $event conn=0x[0-9a-f]+ value=-?[0-9]+ flags=0x[0-9a-f]+\$"
done
test_case "of an error with its number" traced "dmm_event_up: template@0 queue=0 error conn=0x[0-9a-f]+ value=-111 "
test_case "loop pairs" traced "dmm_event_up: loop@0 queue=0 pair "
test_case "and sees no byte of it" eval "! grep -E 'loop@0 queue=0 [rt]x-' $buffer/trace"
test_case "the loop's waiting" traced "dmm_wake_up: loop@0 queue=0\$"

finish
