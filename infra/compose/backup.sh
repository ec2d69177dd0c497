#!/bin/sh
# Backups of the database.
#
#   backup.sh daily          makes one each day at BACKUP_HOUR, UTC
#   backup.sh now            makes one
#   backup.sh list           lists them
#   backup.sh restore FILE   puts one into the database, in the place of what is there
#
# Which database is told by PGHOST, PGUSER and PGDATABASE.
set -eu
folder=${BACKUP_FOLDER:-/backups}
if [ -r /run/secrets/postgres-password ]; then
	PGPASSWORD=$(cat /run/secrets/postgres-password)
	export PGPASSWORD
fi

now() {
	umask 077
	file=analytics-$(date -u +%Y%m%dT%H%M%SZ).dump
	pg_dump --format=custom --file="$folder/$file.unfinished"
	mv "$folder/$file.unfinished" "$folder/$file"
	echo "made $file"
	# Only after a new one was made, so that the last is never deleted.
	find "$folder" -name 'analytics-*.dump*' -mtime "+$((${BACKUP_DAYS:-14} - 1))" ! -name "$file" -exec rm -f {} +
}

daily() {
	while :; do
		since=$(($(date +%s) - ${BACKUP_HOUR:-3} * 3600))
		sleep $((86400 - since % 86400))
		now || echo "no backup was made" >&2
	done
}

restore() {
	[ -r "$folder/$1" ] || { echo "there is no $folder/$1" >&2; exit 1; }
	database=$PGDATABASE
	# Nobody may be connected; functions that run come back by themselves.
	psql -q -v ON_ERROR_STOP=1 -d postgres -c "DROP DATABASE IF EXISTS \"$database\" WITH (FORCE)" -c "CREATE DATABASE \"$database\" TEMPLATE template0"
	# TimescaleDB holds still while its own tables are filled. It has to be the version that
	# the backup was made with.
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
restore) restore "${2:?name the file}" ;;
*) echo "use daily, now, list or restore FILE" >&2; exit 1 ;;
esac
