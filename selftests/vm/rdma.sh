#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 900
#
# dmm-rdma on two devices in software, each with a daemon: conformance, transfers, and unmodified programs whose
# connections go from one daemon to the other. Costs two minutes. DMM_BYTES and DMM_CONNECTIONS make it transfer and hold more.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/rdma/net.sh
. "$(dirname "$0")/../rdma/net.sh"

rdma_needs dmm-rdma

conformance=$(dirname "$(readlink -f "$0")")/../stack/conformance
own_dir
cleanup "dmmpolicy flush all"
cleanup rdma_net_down
cleanup rdma_end_jobs

rdma_net_up >net.log 2>&1 || { not_ok "two devices"; note "$(<net.log)"; finish; }

bad() {
	echo "$2" >bad.conf
	refuse "bad.conf:$1" dmm-rdma --config bad.conf --check
}

test_case "a configuration" dmm-rdma --check --address 10.78.0.1 --silence 3000
test_case "one that is wrong, by file and line" bad 2 $'address 10.78.0.1\nsilence never'
test_case "an address that no device has" refuse "no RDMA device" dmm-rdma --address 10.99.0.1

test_case "conformance" "$conformance" -4 10.78.0.2 -6 fd78::2 -x dgram rdma \
	dmm-rdma --address 10.78.0.2 --address fd78::2

# Clients on a, servers on b.
rdma_start a 0 || note "$(<a.log)"
rdma_start b 1 || note "$(<b.log)"
dmmpolicy rule add prio 1 connect tcp stack rdma@a strict
dmmpolicy rule add prio 2 listen tcp stack rdma@b strict

test_case "transfers and many connections" \
	"${DMM_BUILD:?}/selftests/vm/stack_transfer" -n rdma -a 10.78.0.2 -b "${DMM_BYTES:-$((4 << 20))}" \
	-c "${DMM_CONNECTIONS:-100}"

head -c 3000000 /dev/urandom >data
cat >nginx.conf <<END
daemon off;
pid nginx.pid;
error_log stderr;
events { worker_connections 64; use epoll; }
http {
	access_log off;
	sendfile on;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server { listen 8000; listen [::]:8000; root $dir; }
}
END
chmod 755 "$dir"
dmmrun nginx -e stderr -p "$dir" -c nginx.conf 2>nginx.log &
test_case "nginx listens" wait_for 60 rdma_listens b 2

fetch() {
	rm -f got
	dmmrun curl -gsS --max-time 60 -o got "$1" && cmp data got
}
test_case "curl gets what nginx sends by sendfile" fetch "http://10.78.0.2:8000/data"
test_case "by IPv6" fetch "http://[fd78::2]:8000/data"

dmmrun redis-server --bind 10.78.0.2 --protected-mode no --save '' >redis.log 2>&1 &
wait_for 60 rdma_listens b 3 >/dev/null
test_case "redis-benchmark" expect 'GET: [0-9.]+ requests' \
	dmmrun redis-benchmark -h 10.78.0.2 -q -t set,get -n 1000 -c 20 -d 100

dmmrun iperf3 -s -B 10.78.0.2 >iperf.log 2>&1 &
wait_for 60 rdma_listens b 4 >/dev/null
test_case "iperf3" expect 'receiver' dmmrun iperf3 -c 10.78.0.2 -n 8M
test_case "iperf3, from the server" expect 'receiver' dmmrun iperf3 -c 10.78.0.2 -n 8M -R

# Processes that share a connection, descriptors that are duplicated, edge-triggered epoll, sendfile.
cat >program.py <<'END'
import os, select, socket, sys, threading

address = ("10.78.0.2", 8010)
payload = os.urandom(300000)

def serve(listener):
    for _ in range(3):
        conn, _ = listener.accept()
        if os.fork() == 0:          # the child has the connection that the parent accepted
            total = b""
            while chunk := conn.recv(65536):
                total += chunk
            conn.sendall(total[::-1])
            os._exit(0)
        conn.close()

def receive(fd):
    """Until the end, by edges."""
    ep, total = select.epoll(), b""
    ep.register(fd, select.EPOLLIN | select.EPOLLET | select.EPOLLRDHUP)
    os.set_blocking(fd, False)
    while True:
        ep.poll(60)
        try:
            while chunk := os.read(fd, 4096):
                total += chunk
            return total
        except BlockingIOError:
            pass

def client(send):
    s = socket.create_connection(address)
    copy = os.dup(s.fileno())
    send(s)
    s.shutdown(socket.SHUT_WR)
    s.close()                       # the copy goes on
    assert receive(copy) == payload[::-1], send.__name__

def plain(s):
    s.sendall(payload)

def forked(s):
    if os.fork() == 0:
        s.sendall(payload)
        os._exit(0)
    os.wait()

def file(s):
    with open("payload", "wb") as f:
        f.write(payload)
    with open("payload", "rb") as f:
        s.sendfile(f)

if sys.argv[1] == "serve":
    serve(socket.create_server(address, backlog=8))
else:
    for send in plain, forked, file:
        client(send)
    print("all right")
END
dmmrun python3 program.py serve >serve.log 2>&1 &
# Redis, iperf3 and nginx have four.
wait_for 60 rdma_listens b 5 >/dev/null
# Both have the same payload.
sed -i "s/^payload = .*/payload = open('data', 'rb').read(300000)/" program.py
test_case "fork, dup, edge-triggered epoll, sendfile" expect "all right" dmmrun python3 program.py connect

test_case "nothing went wrong on the way" test "$(rdma_counter a protocol)" = 0
rdma_stop a
test_case "it ends when it is told to" test $? = 0
finish
