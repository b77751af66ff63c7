#!/usr/bin/env bash
# Writes a manifest of a version of Herald to standard output: what a directory of config/ renders, with that version's image.
#
# Usage: hack/manifest.sh VERSION DIRECTORY
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ $# == 2 ]] || { echo "Usage: hack/manifest.sh VERSION DIRECTORY, such as: hack/manifest.sh v0.1.0 default" >&2; exit 2; }
config=$(mktemp -d)
trap 'rm -rf "$config"' EXIT
cp -R config/. "$config"

kustomize=$(go -C tools tool -n kustomize)
(cd "$config/version" && "$kustomize" edit set image ghcr.io/herald-network/herald{,-catalog}:"$1")
"$kustomize" build "$config/$2"
