#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# dmm-loop is replaced by a successor, again and again, while connections are made, bytes flow and datagrams pass through
# it. Nobody notices: no connect fails, no byte is lost, and no datagram.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

((EUID == 0)) || skip_all "needs root"
command -v dmm-loop >/dev/null || skip_all "dmm-loop is not there"
[[ -c /dev/dmm ]] || skip_all "the module is not loaded"
ip link set lo up
rounds=$((4 / ${DMM_ROUNDS_DIV:-1} + 1))

own_dir

daemon() {
	dmmpolicy -j stack show u | python3 -c 'import json, sys; print(*(s["pid"] for s in json.load(sys.stdin)))'
}
kill_daemon() {
	local pid

	pid=$(daemon)
	[[ ! $pid ]] || kill "$pid"
}
cleanup kill_daemon

test_case "a daemon in the background serves when its command ends" eval \
	"dmm-loop -n u -b -t $dir/offer && [[ \$(daemon) ]]"
dmmpolicy rule add prio 1 stack u strict || exit

cat >traffic.py <<'END'
import hashlib, os, random, socket, sys, threading, time

stop = threading.Event()
done = {"stream": 0, "connects": 0, "datagrams": 0}

def checked(f):
    def run():
        try:
            while not stop.is_set():
                f()
        except BaseException as e:
            print(f"{f.__name__}: {e!r}", flush=True)
            os._exit(1)
    t = threading.Thread(target=run, daemon=True)
    t.start()
    return t

def listener(port, kind=socket.SOCK_STREAM):
    s = socket.socket(type=kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    if kind == socket.SOCK_STREAM:
        s.listen(100)
    return s

def connection(l):
    c = socket.create_connection(l.getsockname(), timeout=100)
    s, _ = l.accept()
    s.settimeout(100)
    return c, s

def received(s, n):
    parts = []
    while n:
        parts.append(s.recv(n))
        assert parts[-1], "the end of it"
        n -= len(parts[-1])
    return b"".join(parts)

l1, l2 = listener(7001), listener(7002)
a, b = connection(l1)
u, v = listener(7003, socket.SOCK_DGRAM), listener(7004, socket.SOCK_DGRAM)
u.settimeout(100)
v.settimeout(100)
rng = random.Random(1)

def stream():
    data = rng.randbytes(rng.randint(1, 200000))
    sender = threading.Thread(target=a.sendall, args=(data,))
    sender.start()
    assert received(b, len(data)) == data, "other bytes"
    sender.join()
    done["stream"] += 1

def connects():
    c, s = connection(l2)
    c.sendall(b"ping")
    assert received(s, 4) == b"ping"
    s.sendall(b"pong")
    assert received(c, 4) == b"pong"
    c.close()
    assert s.recv(1) == b""
    s.close()
    done["connects"] += 1

def datagrams():
    n = done["datagrams"]
    burst = [b"%d" % (n + i) for i in range(8)]
    for d in burst:
        u.sendto(d, v.getsockname())
    for d in burst:
        assert v.recvfrom(100) == (d, u.getsockname()), "another datagram"
    done["datagrams"] += 8

threads = [checked(f) for f in (stream, connects, datagrams)]
for line in sys.stdin:      # more of everything, once for each line
    if line == "end\n":
        break
    before = dict(done)
    end = time.time() + 100
    while any(done[k] == before[k] for k in done):
        if time.time() > end:
            print("stuck:", before, done, flush=True)
            os._exit(1)
        time.sleep(0.01)
    print("more", flush=True)
stop.set()
for t in threads:
    t.join()
print("all is well", *(f"{v} {k}" for k, v in done.items()), flush=True)
END

coproc traffic { dmmrun python3 traffic.py 2>&1; }
# shellcheck disable=SC2154 # coproc sets it
pid=$traffic_PID
cleanup "kill $pid 2>/dev/null"
# Of our own: bash closes its ends when the program has died, of which we want to hear why.
exec {ask}>&"${traffic[1]}" {answer}<&"${traffic[0]}"
trap '' PIPE

# asked WORD ANSWER
asked() {
	local line=

	echo "$1" >&"$ask"
	read -r line <&"$answer"
	[[ $line == "$2"* ]] || { echo "$line"; return 1; }
}
goes_on() {
	asked more more
}
test_case "traffic" goes_on

replaced() {
	local i before

	for ((i = 0; i < rounds; i++)); do
		before=$(daemon)
		dmm-loop -n u -b -t "$dir/offer" || return
		[[ $(daemon) != "$before" ]] || { echo "still $before"; return 1; }
		wait_for 30 gone "$before" || return
		goes_on || return
	done
}
gone() {
	! kill -0 "$1" 2>/dev/null
}
test_case "goes on with each of $rounds successors" replaced

test_case "and nothing was lost" asked end 'all is well'

finish
