#!/bin/sh
# Lays out what Knative's func builds: infra/knative/copy.sh FUNCTION FOLDER
# func writes into the folder that it builds, and puts all of it into the image. So it gets
# a folder of its own, with the code of the functions and no .data, secrets or tests.
set -eu
name=$1
mkdir "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
for needed in "infra/knative/$name/func.yaml" functions/dashboard/assets/index.html shared/ingest/enrich/data/country.mmdb; do
  test -s "$needed" && continue
  echo "$needed is missing: is $name a function? make build makes the others" >&2
  exit 1
done
cp -R go.mod go.sum function.go functions shared migrations "infra/knative/$name/func.yaml" "$folder"
# func.yaml can name no tag to build with, so the countries go where the sample of them is.
mv "$folder/shared/ingest/enrich/data/country.mmdb" "$folder/shared/ingest/enrich/data/sample.mmdb"
find "$folder" -name '*_test.go' -exec rm {} +
find "$folder" -name testdata -prune -exec rm -r {} +
