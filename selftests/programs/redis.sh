#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
#
# redis: pipelined load, BGSAVE (fork) under load, pub/sub, a replica (a server that connects), blocking commands,
# restart from the dump.

# shellcheck source=common.sh
. "${0%/*}/common.sh"

needs=(redis-server redis-cli redis-benchmark)
# shellcheck disable=SC2034 # for common.sh
declare -A at_least=([connects]=30 [accepts]=30 [listens]=4)

cli() {
	"${run[@]}" redis-cli -h 127.0.0.1 -p 6379 "$@"
}

serve() {
	"${run[@]}" redis-server --port "$1" --bind 127.0.0.1 ::1 --dir "$PWD" --dbfilename "$1.rdb" --save '' \
		--repl-diskless-sync-delay 0 --logfile "$PWD/$1.log" "${@:2}" &
	wait_until redis-cli -p "$1" ping
}

saved() {
	[[ $(redis-cli info persistence) == *rdb_bgsave_in_progress:0*rdb_last_bgsave_status:ok* ]]
}

in_step() {
	[[ $(redis-cli -p 6380 info replication) == *master_link_status:up* &&
		$(redis-cli -p 6380 dbsize) == "$(redis-cli dbsize)" ]]
}

blocked() {
	[[ $(redis-cli info clients) == *blocked_clients:1* ]]
}

replicated() {
	[[ $(redis-cli -p 6380 get late) == news ]]
}

scenario() {
	local server popper

	serve 6379; server=$!
	cli set greeting hello
	cli get greeting
	"${run[@]}" redis-cli -h ::1 incrby counter 41
	cli --raw eval 'return redis.call("incr", KEYS[1])' 1 counter
	seq 1 2000 | sed 's/.*/SET key:& value:&/' | cli --pipe | tail -n 1

	cli --raw blpop queue 60 >popped & popper=$!
	wait_until blocked
	cli lpush queue first
	wait $popper
	cat popped

	"${run[@]}" redis-benchmark -h 127.0.0.1 -n 400 -c 10 -P 4 -r 100 -t set,get,lpush,mset --csv >bench.csv &
	cli bgsave
	wait $!
	cut -d, -f1 bench.csv
	wait_until saved
	cli --raw getrange key:2000 0 -1

	serve 6380 --replicaof 127.0.0.1 6379
	wait_until in_step
	cli set late news
	wait_until replicated
	cli dbsize
	cli shutdown save
	wait $server
	serve 6379
	cli dbsize
	cli get counter
}

main "$@"
