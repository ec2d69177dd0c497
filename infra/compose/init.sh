#!/bin/sh
# Creates .env and the secrets. Existing files are not changed.
set -eu
cd "$(dirname "$0")"

[ -e .env ] || cp .env.example .env

# Only the owner can enter the directory, but the users of the containers must be able to
# read the files.
mkdir -p secrets
chmod 700 secrets

# create NAME VALUE
create() {
	[ -e "secrets/$1" ] && return
	umask 077
	printf '%s\n' "$2" >"secrets/$1.new"
	chmod 444 "secrets/$1.new"
	mv "secrets/$1.new" "secrets/$1"
	echo "created secrets/$1"
}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

create admin-token "$(random)"
create subject-key "$(random)"
create salt-key "$(random)"
create metrics-token "$(random)"
create schedule-token "$(random)"
create postgres-password "$(random)"
create database-url "postgres://analytics:$(cat secrets/postgres-password)@database:5432/analytics"
password=$(random)
create redis-url "redis://:$password@redis:6379/0"
password=$(sed 's|^redis://:\(.*\)@.*|\1|' secrets/redis-url)
create redis-users "user default on #$(printf %s "$password" | sha256sum | cut -d ' ' -f 1) ~* &* +@all"
