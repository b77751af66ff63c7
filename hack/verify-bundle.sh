#!/usr/bin/env bash
# Fails when the OLM bundle is stale, and shows how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
hack/bundle.sh "$fresh"
diff -ruN bundle "$fresh/bundle" && diff -u bundle.Dockerfile "$fresh/bundle.Dockerfile" || {
	echo "The OLM bundle is stale: run make bundle and commit the result."
	exit 1
}
