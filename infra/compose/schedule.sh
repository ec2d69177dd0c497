#!/bin/sh
# Calls the functions that have a schedule: schema-guard first, which makes the tables, then
# each minute.
call() {
	wget -q -T 58 -O /dev/null --post-data '{}' "http://$1:8080/" || echo "$1 did not do its work: see its log" >&2
}

call schema-guard
while :; do
	call schema-guard &
	call aggregate &
	sleep $((60 - $(date +%s) % 60))
done
