#!/bin/sh
# Prints new secrets for the database and Redis of the overlays. Once:
#
#   ./secrets.sh | kubectl apply -n analytics -f -
#
# A second time it would print others, which no one else knows.
set -eu

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

database=$(random)
redis=$(random)
cat <<END
apiVersion: v1
kind: Secret
metadata:
  name: database-user
type: kubernetes.io/basic-auth
stringData:
  username: analytics
  password: "$database"
---
apiVersion: v1
kind: Secret
metadata:
  name: analytics
stringData:
  admin-token: "$(random)"
  subject-key: "$(random)"
  database-url: "postgres://analytics:$database@database-rw:5432/analytics"
  database-read-url: "postgres://analytics:$database@database-ro:5432/analytics"
  redis-url: "redis://:$redis@redis:6379/0"
  redis-users: "user default on #$(printf %s "$redis" | sha256sum | cut -d ' ' -f 1) ~* &* +@all"
END
