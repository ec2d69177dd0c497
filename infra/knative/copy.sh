#!/bin/sh
# Prepares a directory to build with Knative's func: infra/knative/copy.sh FUNCTION DIRECTORY
# func writes into the directory that it builds and puts all of it into the image, so it gets
# a separate one, with the code of the functions but without .data, secrets and tests.
set -eu
name=$1
mkdir "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
for needed in "infra/knative/$name/func.yaml" functions/dashboard/assets/index.html shared/ingest/enrich/data/country.mmdb; do
  test -s "$needed" && continue
  echo "$needed is missing: check that $name is a function, and run make build" >&2
  exit 1
done
cp -R go.mod go.sum function.go functions shared migrations "infra/knative/$name/func.yaml" "$folder"
# func.yaml can't set build tags, so the country database replaces the sample.
mv "$folder/shared/ingest/enrich/data/country.mmdb" "$folder/shared/ingest/enrich/data/sample.mmdb"
find "$folder" -name '*_test.go' -exec rm {} +
find "$folder" -name testdata -prune -exec rm -r {} +
