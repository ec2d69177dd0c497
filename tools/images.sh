#!/bin/sh
# Builds the images of all functions and pushes them, and says their names with their
# digests: on this machine, or with BUILD_HOST=NAME on the one that ssh knows by the name,
# which needs Go, Node.js, make, and to be logged in at the registry.
set -eu

fail() {
  echo "images: $1" >&2
  exit 1
}

[ -n "${IMAGES:-}" ] || fail 'set IMAGES to what the names of the images begin with, such as ghcr.io/example'
VERSION=${VERSION:-latest}
if [ -z "${REVISION:-}" ]; then
  [ -z "$(git status --porcelain)" ] || fail 'there are changes that are not committed: the images would not be of the commit that they name'
  REVISION=$(git rev-parse HEAD)
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
fi
for value in "$IMAGES" "$VERSION" "$REVISION" "${BUILD_HOST:-local}"; do
  case $value in
  *[!A-Za-z0-9._/:@-]* | -*) fail "\"$value\" has characters that no name of an image, version or machine has" ;;
  esac
done

if [ "${BUILD_HOST:-local}" = local ]; then
  make -s assets >&2
  go build -C tools/image -o ../../bin/image .
  export IMAGES VERSION REVISION SOURCE_DATE_EPOCH
  exec bin/image
fi
# What is committed goes there, and nothing else; the words that the shell there is to
# replace have a backslash.
git archive --format=tar "$REVISION" | ssh -- "$BUILD_HOST" "
  set -eu
  dir=\$(mktemp -d)
  trap 'rm -rf \"\$dir\"' EXIT
  tar -x -C \"\$dir\"
  cd \"\$dir\"
  make -s images IMAGES='$IMAGES' VERSION='$VERSION' REVISION='$REVISION' SOURCE_DATE_EPOCH='$SOURCE_DATE_EPOCH' BUILD_HOST=local
"
