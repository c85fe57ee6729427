#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 60
#
# dmmss: sockets in each state, with the stack that serves them and the reason.

. "$(dirname "$(readlink -f "$0")")/../lib.sh"

command -v python3 >/dev/null || skip_all "python3 is missing"
tmp=$(mktemp -d)
cleanup rm -rf "$tmp"
cleanup dmmpolicy flush all
dmmpolicy flush all || skip_all "no module"

id=$(dmmpolicy -j rule add prio 10 connect tcp dport 8080 stack nosuch,kernel | grep -o '[0-9]*')
strict=$(dmmpolicy -j rule add prio 11 listen tcp inet6 stack kernel strict | grep -o '[0-9]*')

# A server and a client of each family, and sockets that are not decided yet; they go when stdin ends.
cat >"$tmp/sockets.py" <<'END'
import ctypes, socket, sys

libc = ctypes.CDLL(None)
af = int(open("/sys/module/dmm/parameters/af").read())

def dmm(family, kind):
    fd = libc.socket(af, kind, 1 if family == socket.AF_INET6 else 0)
    return socket.socket(family, kind, 0, fd)

server = dmm(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", 8080))
server.listen()
client = dmm(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("127.0.0.1", 8080))
accepted, _ = server.accept()
client.send(b"hello")
server6 = dmm(socket.AF_INET6, socket.SOCK_STREAM)
server6.bind(("::1", 8081))
server6.listen()
datagrams = dmm(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.connect(("127.0.0.1", 8082))
undecided = dmm(socket.AF_INET, socket.SOCK_STREAM)
print("ready", flush=True)
sys.stdin.read()
END
mkfifo "$tmp/in"
python3 "$tmp/sockets.py" <"$tmp/in" >"$tmp/out" & pid=$!
exec 9>"$tmp/in"
wait_for 20 grep -q ready "$tmp/out" || { not_ok "sockets"; finish; }

# lacks WORD OPTION...: dmmss does not print the word.
lacks() {
	local word=$1 output
	shift

	output=$(dmmss "$@") || return
	[[ $output != *"$word"* ]] || { echo "$output"; return 1; }
}

equal() {
	[[ $1 == "$2" ]] || { echo "got: $1, not: $2"; return 1; }
}

# line PATTERN OPTION...: one line of dmmss matches.
line() {
	local pattern=$1 output
	shift

	output=$(dmmss "$@") || return
	grep -qE -e "$pattern" <<<"$output" || { echo "no line matches /$pattern/:"; echo "$output"; return 1; }
}

test_case "connected" line "^tcp +ESTAB +0 +0 +127.0.0.1:[0-9]+ +127.0.0.1:8080 +kernel +$id +fallback" -n
test_case "accepted, with what is not read yet" line "^tcp +ESTAB +5 +0 +127.0.0.1:8080 +127.0.0.1:[0-9]+ +kernel +- +default" -n
test_case "a listener that DMM holds" line "^tcp +LISTEN +0 +128 +127.0.0.1:8080 +0.0.0.0:\* +kernel +- +default" -nl
test_case "one that it handed over" line "^tcp +LISTEN +0 +128 +\[::1\]:8081 +\[::\]:\* +kernel +$strict +strict-kernel" -nl
test_case "UDP" line "^udp +ESTAB +.* 127.0.0.1:8082 +kernel +- +default" -nu
test_case "undecided" line "^tcp +UNCONN +.* - +- +undecided" -nl
test_case "listeners are not among the connected" lacks LISTEN -n
test_case "TCP alone" lacks udp -tanH
test_case "IPv6 alone" equal "$(dmmss -6anH | wc -l)" 1
test_case "processes" line "users:\(\(\"python3\",pid=$pid,fd=[0-9]+\)\)" -np
test_case "what TCP knows of a connection" \
	line '127.0.0.1:8080 .* rto:[0-9.]+ rtt:[0-9.e-]+/[0-9.e-]+ mss:[0-9]+ cwnd:[0-9]+ .*bytes_acked:[0-9]+' -ni
test_case "in JSON, too" expect '"peer_port":8080,.*"rtt":[0-9]+,.*"cwnd":[0-9]+' dmmss -j
test_case "names of services" line '127.0.0.1:http-alt'
test_case "JSON" expect '"netid":"tcp","state":"ESTAB",.*"peer_port":8080,.*"stack":"kernel","rule":'"$id"',"prio":10,"reason":"fallback"' \
	dmmss -j
test_case "totals" line '^Total: 6 \(undecided 1, listening 2\)' -s
test_case "totals of a stack" line '^kernel +5$' -s
test_case "totals of a reason" line '^fallback +1 +[0-9]+$' -s
test_case "a mistake in the command line" refuse usage dmmss -x

exec 9>&-
wait "$pid"
test_case "sockets that are gone" line "^tcp +GONE .* 127.0.0.1:8080 +kernel +$id +fallback" -rn
test_case "only if asked for" lacks GONE -an
finish
