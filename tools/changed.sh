#!/bin/sh
# Prints the directories with Go files that differ from the main branch, committed or not.
set -eu
base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD)
{
  git diff --name-only --diff-filter=d "$base" -- '*.go'
  git ls-files --others --exclude-standard -- '*.go'
} | grep -v -e '^tools/' -e /testdata/ | sed -e 's|^|./|' -e 's|/[^/]*$||' | sort -u
