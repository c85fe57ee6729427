#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.12
#
# haproxy: an HTTP proxy with health checks and a TCP proxy that splices, run in a chroot. A new process takes over the
# listening sockets (SCM_RIGHTS) while clients keep asking: no request may fail.

# shellcheck source=common.sh
. "${0%/*}/common.sh"
# shellcheck source=http.sh
. "${0%/*}/http.sh"

needs=(haproxy nginx curl)
# shellcheck disable=SC2034 # for common.sh
declare -A at_least=([connects]=30 [accepts]=30 [listens]=3)

configure() {
	mkdir -p empty
	head -c 200000 /dev/zero | tr '\0' x >big
	cat >backend.conf <<-END
	user $user;
	pid $PWD/backend.pid;
	error_log $PWD/backend.log;
	events { worker_connections 64; }
	http {
	    access_log off;
	    server { listen 127.0.0.1:9001; root $PWD; location /who { return 200 "one\n"; } }
	    server { listen [::1]:9002; root $PWD; location /who { return 200 "two\n"; } }
	}
	END
	cat >haproxy.cfg <<-END
	global
	    user $user
	    chroot $PWD/empty
	    pidfile $PWD/haproxy.pid
	    stats socket $PWD/stats level admin expose-fd listeners
	    nbthread 2
	    maxconn 100
	defaults
	    timeout connect 30s
	    timeout client 30s
	    timeout server 30s
	frontend web
	    mode http
	    bind 127.0.0.1:8080
	    bind [::1]:8080
	    default_backend servers
	backend servers
	    mode http
	    option httpchk GET /who
	    balance roundrobin
	    server one 127.0.0.1:9001 check inter 500ms
	    server two [::1]:9002 check inter 500ms
	listen tunnel
	    mode tcp
	    option splice-auto
	    bind 127.0.0.1:8081
	    server one 127.0.0.1:9001
	END
}

start_haproxy() {
	"${run[@]}" haproxy -D -f haproxy.cfg "$@"
}

take_over() {
	local old

	old=$(<haproxy.pid)
	start_haproxy "$@" -sf "$old"
	wait_until gone "$old"
}

scenario() {
	configure
	"${run[@]}" nginx -c "$PWD/backend.conf" -e "$PWD/backend.log"
	start_haproxy
	wait_until curl -f http://127.0.0.1:8080/who

	for _ in 1 2 3 4; do
		get http://127.0.0.1:8080/who
	done | sort
	get "http://[::1]:8080/big" | md5sum
	get http://127.0.0.1:8081/big | md5sum
	get -d @big -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8080/big

	start_asking http://127.0.0.1:8080/big http://127.0.0.1:8081/big
	take_over -x "$PWD/stats"
	served_again
	stop_asking

	# New sockets on the same ports. A client that waits in the old process's queue is lost at this, as haproxy says.
	take_over
	get http://127.0.0.1:8080/big | md5sum
}

main "$@"
