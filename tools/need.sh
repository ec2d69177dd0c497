#!/bin/sh
# Checks that programs are installed: tools/need.sh PROGRAM=PACKAGE...
# Under root it installs the missing Debian packages; otherwise it prints their names.
set -eu

missing=
for pair in "$@"; do
  program=${pair%%=*}
  package=${pair#*=}
  command -v "$program" >/dev/null 2>&1 && continue
  ls /usr/lib/postgresql/*/bin/"$program" >/dev/null 2>&1 && continue
  missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  echo "installing the Debian packages:$missing"
  log=$(mktemp)
  # shellcheck disable=SC2086 # the packages are words
  if (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing) >"$log" 2>&1; then
    rm -f "$log"
    exit 0
  fi
  tail -n 20 "$log" >&2
  rm -f "$log"
fi
echo "missing: please install the Debian packages:$missing" >&2
exit 1
