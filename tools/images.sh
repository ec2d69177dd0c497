#!/bin/sh
# Builds the images of all functions, pushes them, and prints their names with digests. With
# BUILD_HOST=NAME it builds on that ssh host, which needs Go, Node.js, make, and credentials
# for the registry.
set -eu

fail() {
  echo "images: $1" >&2
  exit 1
}

[ -n "${IMAGES:-}" ] || fail 'set IMAGES to the prefix of the image names, such as ghcr.io/example'
VERSION=${VERSION:-latest}
if [ -z "${REVISION:-}" ]; then
  [ -z "$(git status --porcelain)" ] || fail 'there are uncommitted changes: the images would not match their commit'
  REVISION=$(git rev-parse HEAD)
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
fi
for value in "$IMAGES" "$VERSION" "$REVISION" "${BUILD_HOST:-local}"; do
  case $value in
  *[!A-Za-z0-9._/:@-]* | -*) fail "\"$value\" has characters that are not allowed in the name of an image, version or machine" ;;
  esac
done

if [ "${BUILD_HOST:-local}" = local ]; then
  make -s assets >&2
  go build -C tools/image -o ../../bin/image .
  export IMAGES VERSION REVISION SOURCE_DATE_EPOCH
  exec bin/image
fi
# Only committed files are copied. The remote shell expands the escaped words.
git archive --format=tar "$REVISION" | ssh -- "$BUILD_HOST" "
  set -eu
  dir=\$(mktemp -d)
  trap 'rm -rf \"\$dir\"' EXIT
  tar -x -C \"\$dir\"
  cd \"\$dir\"
  make -s images IMAGES='$IMAGES' VERSION='$VERSION' REVISION='$REVISION' SOURCE_DATE_EPOCH='$SOURCE_DATE_EPOCH' BUILD_HOST=local
"
