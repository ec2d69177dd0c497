#!/bin/sh
# Makes .env and the secrets, once: what is there already is left as it is.
set -eu
cd "$(dirname "$0")"

[ -e .env ] || cp .env.example .env

# Only you can enter the folder. The containers' users, who are others, have to read the
# files in it.
mkdir -p secrets
chmod 700 secrets

# make NAME VALUE
make() {
	[ -e "secrets/$1" ] && return
	umask 077
	printf '%s\n' "$2" >"secrets/$1.new"
	chmod 444 "secrets/$1.new"
	mv "secrets/$1.new" "secrets/$1"
	echo "made secrets/$1"
}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

make admin-token "$(random)"
make subject-key "$(random)"
make postgres-password "$(random)"
make database-url "postgres://analytics:$(cat secrets/postgres-password)@database:5432/analytics"
password=$(random)
make redis-url "redis://:$password@redis:6379/0"
password=$(sed 's|^redis://:\(.*\)@.*|\1|' secrets/redis-url)
make redis-users "user default on #$(printf %s "$password" | sha256sum | cut -d ' ' -f 1) ~* &* +@all"
