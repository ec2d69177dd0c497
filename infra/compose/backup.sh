#!/bin/sh
# Backups of the database.
#
#   backup.sh daily          makes a backup every day at BACKUP_HOUR, UTC
#   backup.sh now            makes a backup
#   backup.sh list           lists the backups
#   backup.sh restore FILE   replaces the database with a backup
#
# PGHOST, PGUSER and PGDATABASE select the database.
set -eu
folder=${BACKUP_FOLDER:-/backups}
if [ -r /run/secrets/postgres-password ]; then
	PGPASSWORD=$(cat /run/secrets/postgres-password)
	export PGPASSWORD
fi

now() {
	umask 077
	file=analytics-$(date -u +%Y%m%dT%H%M%SZ).dump
	# Without the salts of visitors: they must not outlive their days. Without sessions: a
	# restore would bring back those that have ended.
	pg_dump --format=custom --exclude-table-data=salts --exclude-table-data=sessions --file="$folder/$file.unfinished"
	mv "$folder/$file.unfinished" "$folder/$file"
	echo "created $file"
	# Deletes old backups only after a new one succeeds, so that the last is never deleted.
	find "$folder" -name 'analytics-*.dump*' -mtime "+$((${BACKUP_DAYS:-14} - 1))" ! -name "$file" -exec rm -f {} +
}

daily() {
	while :; do
		since=$(($(date +%s) - ${BACKUP_HOUR:-3} * 3600))
		sleep $((86400 - since % 86400))
		now || echo "backup failed" >&2
	done
}

restore() {
	[ -r "$folder/$1" ] || { echo "$folder/$1 does not exist" >&2; exit 1; }
	database=$PGDATABASE
	# FORCE ends all connections; running functions reconnect by themselves.
	psql -q -v ON_ERROR_STOP=1 -d postgres -c "DROP DATABASE IF EXISTS \"$database\" WITH (FORCE)" -c "CREATE DATABASE \"$database\" TEMPLATE template0"
	# TimescaleDB must be in restore mode while its catalog is filled, and must have the
	# version with which the backup was made.
	timescale=$(pg_restore --list "$folder/$1" | grep -c ' EXTENSION - timescaledb' || true)
	if [ "$timescale" -gt 0 ]; then
		psql -q -v ON_ERROR_STOP=1 -o /dev/null -c 'CREATE EXTENSION IF NOT EXISTS timescaledb' -c 'SELECT timescaledb_pre_restore()'
	fi
	pg_restore --exit-on-error --no-owner --dbname="$database" "$folder/$1"
	if [ "$timescale" -gt 0 ]; then
		psql -q -v ON_ERROR_STOP=1 -o /dev/null -c 'SELECT timescaledb_post_restore()'
	fi
	psql -q -v ON_ERROR_STOP=1 -c 'ANALYZE'
	echo "restored $1"
}

case ${1:-} in
daily) daily ;;
now) now ;;
list) ls -l "$folder" ;;
restore) restore "${2:?FILE is missing}" ;;
*) echo "use daily, now, list or restore FILE" >&2; exit 1 ;;
esac
