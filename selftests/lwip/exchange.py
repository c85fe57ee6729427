# SPDX-License-Identifier: GPL-2.0-only
"""Bytes in both directions at once.

exchange.py serve PORT		send back what comes, at [::]:PORT and 0.0.0.0:PORT; says "ready"
exchange.py run ADDRESS PORT BYTES	send random bytes and look at what comes back
"""
import os
import socket
import sys
import threading


def send_back(conn):
    with conn:
        while data := conn.recv(65536):
            conn.sendall(data)


def serve(port):
    listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    print("ready", flush=True)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=send_back, args=(conn,), daemon=True).start()


def send_all(conn, data):
    conn.sendall(data)
    conn.shutdown(socket.SHUT_WR)


def run(address, port, size):
    data, got = os.urandom(size), bytearray()
    with socket.create_connection((address, port), timeout=120) as conn:
        sender = threading.Thread(target=send_all, args=(conn, data))
        sender.start()
        while part := conn.recv(65536):
            got += part
        sender.join()
    if got != data:
        sys.exit(f"{len(got)} bytes of {size}, or others, came back")


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
