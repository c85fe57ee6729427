#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
#
# nginx: static files (sendfile), a proxy to an upstream (sockets made by workers), keep-alive, then a reload and a binary
# upgrade (the listening sockets are inherited over exec) while clients keep asking: no request may fail.

# shellcheck source=common.sh
. "${0%/*}/common.sh"
# shellcheck source=http.sh
. "${0%/*}/http.sh"

needs=(nginx curl)
# shellcheck disable=SC2034 # for common.sh
declare -A at_least=([connects]=30 [accepts]=30 [listens]=3)

configure() {
	echo "$1" >version
	cat >nginx.conf <<-END
	user $user;
	worker_processes 2;
	pid $PWD/nginx.pid;
	error_log $PWD/error.log;
	# nginx gives an upgraded binary no environment but this.
	env LD_PRELOAD;
	events { worker_connections 64; }
	http {
	    access_log off;
	    client_body_temp_path $PWD/body;
	    proxy_temp_path $PWD/proxy;
	    fastcgi_temp_path $PWD/fastcgi;
	    uwsgi_temp_path $PWD/uwsgi;
	    scgi_temp_path $PWD/scgi;
	    sendfile on;
	    upstream back { server 127.0.0.1:8081; keepalive 2; }
	    server {
	        listen 127.0.0.1:8080 backlog=64;
	        listen [::1]:8080 ipv6only=on;
	        root $PWD;
	        location /proxy/ { proxy_pass http://back/; }
	        location = /generation { return 200 "$1\n"; }
	    }
	    server { listen 127.0.0.1:8081 reuseport; root $PWD; }
	}
	END
}

generation() {
	[[ $(curl -s http://127.0.0.1:8080/generation) == "$1" ]]
}

no_master() {
	[[ ! -e nginx.pid ]]
}

two_masters() {
	[[ -s nginx.pid.oldbin && -s nginx.pid && $(<nginx.pid) != "$(<nginx.pid.oldbin)" ]]
}

scenario() {
	local old

	head -c 200000 /dev/zero | tr '\0' x >big
	configure first
	# An upgrade executes this path again.
	"${run[@]}" "$(type -P nginx)" -c "$PWD/nginx.conf" -e "$PWD/error.log"
	wait_until generation first

	get http://127.0.0.1:8080/big | md5sum
	get "http://[::1]:8080/proxy/big" | md5sum
	get -r 100-199 http://127.0.0.1:8080/big | wc -c
	get -w '%{num_connects}\n' http://127.0.0.1:8080/version http://127.0.0.1:8080/proxy/version
	get -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8080/nothing

	start_asking http://127.0.0.1:8080/big http://127.0.0.1:8080/proxy/big
	configure second
	kill -HUP "$(<nginx.pid)"
	wait_until generation second
	served_again
	echo reloaded

	old=$(<nginx.pid)
	kill -USR2 "$old"
	wait_until two_masters
	kill -WINCH "$old"
	served_again
	kill -QUIT "$old"
	wait_until gone "$old"
	served_again
	echo upgraded

	stop_asking
	kill -QUIT "$(<nginx.pid)"
	wait_until no_master
	grep -E '\[(warn|error|crit|alert|emerg)\]' error.log | grep -v 'nothing" failed' || :
}

main "$@"
