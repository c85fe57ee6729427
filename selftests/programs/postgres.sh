#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout: 600
# kernel: 6.12
#
# PostgreSQL: a process per connection (accepted sockets over fork), pgbench with lasting and with new connections, COPY of
# a table in both directions, a notification, a query that is cancelled through a connection of its own.

# shellcheck source=common.sh
. "${0%/*}/common.sh"

for dir in /usr/lib/postgresql/*/bin; do
	PATH=$dir:$PATH
done
needs=(initdb pgbench psql setpriv)
# shellcheck disable=SC2034 # for common.sh
declare -A at_least=([connects]=35 [accepts]=35 [listens]=2)

# PostgreSQL refuses to run as root.
as_user() {
	setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}

sql() {
	"${run[@]}" psql -XAqt -h "${host:-127.0.0.1}" -U postgres -v ON_ERROR_STOP=1 postgres "$@"
}

readonly transaction='
\set id random(1, 100)
BEGIN;
UPDATE account SET balance = balance + 1 WHERE id = :id;
INSERT INTO history VALUES (:id, 1);
COMMIT;
'

bench() {
	"${run[@]}" pgbench -n -h 127.0.0.1 -U postgres -f script.sql "$@" postgres |
		grep -E '^number of (transactions actually|failed)' | sed 's/ (.*//'
}

asleep() {
	[[ $(psql -XAqt -h "$PWD" -U postgres postgres -c \
		"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 1 ]]
}

scenario() {
	local server sleeper

	chown "$user" .
	echo "$transaction" >script.sql
	as_user initdb -D data -U postgres -A trust -N --no-instructions --locale=C -E UTF8 >initdb.log
	as_user "${run[@]}" postgres -D data -c listen_addresses=127.0.0.1,::1 -c "unix_socket_directories=$PWD" \
		-c fsync=off -c shared_buffers=8MB -c autovacuum=off >server.log 2>&1 & server=$!
	wait_until pg_isready -q -h "$PWD"

	sql -c 'CREATE TABLE account AS SELECT id, 0 AS balance FROM generate_series(1, 100) id;
		CREATE TABLE history (id int, delta int)'
	bench -c 4 -j 2 -t 25
	bench -c 4 -j 2 -t 5 -C
	bench -c 2 -t 10 -M prepared
	host=::1 sql -c 'SELECT sum(balance), (SELECT count(*) FROM history) FROM account'

	sql -c "COPY (SELECT id, repeat('x', 100) FROM generate_series(1, 5000) id) TO STDOUT" | tee table | md5sum
	sql -c 'CREATE TABLE copy (id int, filler text)'
	sql -c 'COPY copy FROM STDIN' <table
	sql -c 'SELECT count(*), sum(id), sum(length(filler)) FROM copy'

	sql -c 'LISTEN news' -c "NOTIFY news, 'text'" | sed 's/PID .*//'
	sql -c 'SELECT pg_sleep(600)' 2>&1 & sleeper=$!
	wait_until asleep
	pkill -INT -P $sleeper
	wait $sleeper || echo "exit status $?"

	kill -INT "$(head -n 1 data/postmaster.pid)"
	wait $server
	echo "exit status $?"
}

main "$@"
