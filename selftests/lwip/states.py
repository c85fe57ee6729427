# SPDX-License-Identifier: GPL-2.0-only
"""Sockets in each state, and what they see of the death of their stack and of its return.

states.py ECHO SINK ELSEWHERE	addresses: of a server that sends back what comes (port 8000) and one that never reads
				(port 8003), both by the stack; and one (port 8000) that only the next stack of the rule reaches

Says "ready"; after a line of input, by which the stack is dead, a line "NAME OUTCOME" for each socket; after another,
by which it is back, the same for what is tried then.
"""
import errno
import select
import socket
import sys
import threading

echo, sink, elsewhere = sys.argv[1:4]
PATIENCE = 60


def name_of(error):
    return errno.errorcode.get(error, str(error))


def tcp(address):
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)


def connected(address=echo, port=8000):
    s = tcp(address)
    s.settimeout(PATIENCE)
    s.connect((address, port))
    return s


def said(s, data):
    s.sendall(data)
    got = b""
    while len(got) < len(data) and (part := s.recv(100)):
        got += part
    return got == data


def end_of(s):
    """What a reader gets in the end, and then a writer."""
    s.settimeout(PATIENCE)
    got = b""
    try:
        while part := s.recv(4096):
            got += part
        outcome = "EOF"
    except OSError as e:
        outcome = name_of(e.errno) if e.errno else "timeout"
    try:
        s.send(b"x")
        outcome += " sent"
    except OSError as e:
        outcome += " " + (name_of(e.errno) if e.errno else "timeout")
    return outcome, got


def events(s):
    poll = select.poll()
    poll.register(s, select.POLLIN | select.POLLOUT)
    return {name for _, mask in poll.poll(PATIENCE * 1000)
            for name, bit in (("IN", select.POLLIN), ("ERR", select.POLLERR), ("HUP", select.POLLHUP)) if mask & bit}


def connecting(address):
    s = tcp(address)
    s.setblocking(False)
    try:
        s.connect((address, 8000))
    except BlockingIOError:
        pass
    return s


def outcome_of(s):
    """Of a connect that was under way."""
    select.select([], [s], [], PATIENCE)
    error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        return name_of(error)
    s.settimeout(PATIENCE)
    return "echo" if said(s, b"after all") else "no echo"


class Blocked(threading.Thread):
    """Waits in a system call until something happens."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.outcome = call, "still blocked"
        self.start()

    def run(self):
        try:
            self.outcome = f"returned {self.call()!r}"
        except OSError as e:
            self.outcome = name_of(e.errno)

    def end(self):
        self.join(PATIENCE)
        return self.outcome


def served():
    """What the next connection that lives has to say."""
    while True:
        conn, _ = listener.accept()
        conn.settimeout(PATIENCE)
        try:
            if data := conn.recv(10):
                conn.sendall(data)
                return data.decode()
        except ConnectionResetError:
            pass  # the one that was in the backlog


def tell(name, outcome):
    print(name, outcome, flush=True)


listener = socket.create_server(("", 8001), family=socket.AF_INET6, dualstack_ipv6=True)
listener.settimeout(PATIENCE)
accepted, _ = listener.accept()
# A second one is in the backlog.
select.select([listener], [], [], PATIENCE)
idle = connected()
assert said(idle, b"hello")
unread = connected()
unread.sendall(b"unread")
select.select([unread], [], [], PATIENCE)
full = connected(sink, 8003)
full.setblocking(False)
try:
    while True:
        full.send(bytes(65536))
except BlockingIOError:
    pass
half = connected(sink, 8003)
half.shutdown(socket.SHUT_WR)
peer_done = connected()
peer_done.shutdown(socket.SHUT_WR)
assert peer_done.recv(1) == b""
gone = connected(sink, 8003)
gone.sendall(bytes(100000))
gone.close()
reader_socket = connected()
reader = Blocked(lambda: reader_socket.recv(10))
writer_socket = connected(sink, 8003)
writer_socket.settimeout(None)
writer = Blocked(lambda: writer_socket.sendall(bytes(10000000)))
asked = connecting(echo.replace("0.1", "0.99") if "." in echo else "fd77::99")
fallback = connecting(elsewhere)
datagrams = socket.socket(idle.family, socket.SOCK_DGRAM)
datagrams.connect((echo, 9))
print("ready", flush=True)

sys.stdin.readline()
tell("events", "".join(f"{e} " for e in sorted(events(idle))))
tell("idle", end_of(idle)[0])
outcome, got = end_of(unread)
tell("unread", f"{got.decode() or 'nothing'} {outcome}")
tell("accepted", end_of(accepted)[0])
tell("full", end_of(full)[0])
tell("half", end_of(half)[0])
tell("peer_done", end_of(peer_done)[0])
tell("reader", reader.end())
tell("writer", writer.end())
tell("asked", outcome_of(asked))
tell("fallback", outcome_of(fallback))
tell("datagrams", events(datagrams) and "events")
tell("done", "with the dead")

sys.stdin.readline()
tell("connect", "echo" if said(connected(), b"again") else "no echo")
tell("accept", served())
tell("done", "with the living")
