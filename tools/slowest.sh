#!/bin/sh
# Prints the output of go test, and then the slowest packages:
# go test ./... | tools/slowest.sh
exec awk '
  { print; fflush() }
  $1 == "ok" && $3 ~ /^[0-9.]+s$/ { took[$2] = $3 + 0 }
  END {
    sorted = "sort -rn | head -n 8"
    for (name in took) printf "  %7.1f s  %s\n", took[name], name | sorted
    close(sorted)
  }'
