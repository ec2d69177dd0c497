#!/bin/sh
# Prints a manifest with new secrets for the database and Redis of the overlays. Run it once:
#
#   ./secrets.sh | kubectl apply -n analytics -f -
#
# A second run generates different secrets, which do not match the database and Redis.
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
  salt-key: "$(random)"
  metrics-token: "$(random)"
  schedule-token: "$(random)"
  database-url: "postgres://analytics:$database@database-rw:5432/analytics"
  database-read-url: "postgres://analytics:$database@database-ro:5432/analytics"
  redis-url: "redis://:$redis@redis:6379/0"
  redis-users: "user default on #$(printf %s "$redis" | sha256sum | cut -d ' ' -f 1) ~* &* +@all"
END
