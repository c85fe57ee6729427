#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Races: the stacks of a rule that are asked beside each other, with and without the kernel's TCP.

[[ $EUID != 0 || ${1-} == inside ]] || exec unshare -n "$0" inside

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

((EUID == 0)) || skip_all "needs root"
command -v dmm-loop >/dev/null || skip_all "dmm-loop is not there"
[[ -c /dev/dmm ]] || skip_all "the module is not loaded"
ip link set lo up

own_dir

shown() {
	dmmpolicy stack show | grep -q "^$1@"
}

mute-stack mute >mute.log 2>&1 & cleanup kill $!
dmm-loop >loop.log 2>&1 & loop=$! && cleanup "kill $loop"
test_case "a mute stack and one that answers" eval "wait_for 30 shown mute && wait_for 30 shown loop"
# Stopped daemons do not answer; killed, they do not need to.
cleanup "kill -CONT $loop"

# The attempts' time is longer than this test may take: what connects does so beside those that are mute.
cat >rules <<'END'
rule add prio 1 connect tcp dport 7101 stack mute,loop timeout 600000 race 50 strict
rule add prio 1 connect tcp dport 7102 stack mute,kernel timeout 600000 race 50
rule add prio 1 connect tcp dport 7103 stack mute,kernel timeout 600000 race 50 kernel
rule add prio 1 connect tcp dport 7104-7105 stack loop,kernel timeout 600000 race 50 kernel
rule add prio 2 listen tcp stack loop,kernel
END
dmmpolicy load -f rules || exit

cat >race.py <<'END'
import errno, os, select, signal, socket, subprocess, sys, time

loop = int(sys.argv[2])

def stack(s):
    try:
        return s.getsockopt(300, 1, 32).rstrip(b"\0").decode()
    except OSError:         # handed over: the kernel's own does not know the option
        return "kernel"

def server(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen()
    return s

def start(port):
    c = socket.socket()
    c.setblocking(False)
    assert c.connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS
    return c

def done(c, seconds=100):
    return bool(select.select([], [c], [], seconds)[1])

def finish(c):
    assert done(c)
    return c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

def talk(c, listener):
    c.setblocking(True)
    s, name = listener.accept()
    assert name == c.getsockname() and c.getpeername() == listener.getsockname()
    for a, b in ((c, s), (s, c)):
        a.sendall(b"x" * 1000)
        assert b.recv(1000, socket.MSG_WAITALL) == b"x" * 1000
    return stack(c), stack(s)

def until(f):
    end = time.time() + 100
    while not f():
        assert time.time() < end
        time.sleep(0.01)

def kernel_state(state):
    return subprocess.check_output(["ss", "-Htn", "state", state], text=True).splitlines()

def next_stack():
    l = server(7101)
    c = start(7101)
    assert finish(c) == 0 and talk(c, l) == ("loop", "loop")

def blocking():
    l = server(7101)
    c = socket.create_connection(("127.0.0.1", 7101))
    assert talk(c, l) == ("loop", "loop")

def kernel_waits():
    l = server(7102)
    l.settimeout(1)
    c = start(7102)
    try:
        l.accept()
        assert False, "the kernel's TCP takes part"
    except TimeoutError:
        assert not done(c, 0)

def kernel_wins():
    l = server(7103)
    c = start(7103)
    assert finish(c) == 0 and talk(c, l) == ("kernel", "kernel")

# What the kernel's TCP sends gets lost, and the other stack does not answer until it asks.
def user_wins():
    l = server(7104)
    os.kill(loop, signal.SIGSTOP)
    c = start(7104)
    until(lambda: kernel_state("syn-sent"))
    assert not done(c, 0)
    os.kill(loop, signal.SIGCONT)
    assert finish(c) == 0 and talk(c, l) == ("loop", "loop")
    assert not kernel_state("syn-sent")

def kernel_refuses():
    os.kill(loop, signal.SIGSTOP)
    c = start(7105)
    # It is one of the attempts: its end is not the race's.
    assert not done(c, 1)
    os.kill(loop, signal.SIGCONT)
    assert finish(c) == errno.ECONNREFUSED

def both_given_up():
    l, l2 = server(7104), server(7101)
    os.kill(loop, signal.SIGSTOP)
    c, d, e = start(7104), start(7104), start(7104)
    until(lambda: len(kernel_state("syn-sent")) == 3)
    c.close()
    d.shutdown(socket.SHUT_RDWR)
    # connect(AF_UNSPEC), which Python cannot say.
    import ctypes
    unspec = (ctypes.c_char * 16)()
    assert ctypes.CDLL(None, use_errno=True).connect(e.fileno(), unspec, 16) == 0
    until(lambda: not kernel_state("syn-sent"))
    os.kill(loop, signal.SIGCONT)
    e.setblocking(True)
    e.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    e.connect(("127.0.0.1", 7101))

globals()[sys.argv[1]]()
END

race() {
	dmmrun python3 race.py "$1" "$loop"
}

# decided PORT STACK REASON: the monitor has told of it.
decided() {
	grep -E "^decision connect .*127\.0\.0\.1:$1 .*stack $2 reason $3" decisions
}

dmmpolicy monitor decision >decisions & cleanup kill $!
wait_for 30 grep -q start decisions
test_case "the next stack is asked beside a mute one" race next_stack
test_case "the outcome is told" wait_for 30 decided 7101 loop fallback
test_case "a blocking connect" race blocking
test_case "the kernel's TCP waits if it is not told to take part" race kernel_waits
test_case "the kernel's TCP wins" race kernel_wins
test_case "and the outcome is told" wait_for 30 decided 7103 kernel fallback
test_case "one that is refused by the kernel's TCP goes on" race kernel_refuses
tc qdisc add dev lo root blackhole || exit
test_case "the kernel's TCP is stopped when it loses" race user_wins
test_case "a race that is given up" eval "race both_given_up 2>given_up || { cat given_up; false; }"
test_case "nothing is under way" eval "dmmpolicy stat | grep -x 'connecting 0'"

finish
