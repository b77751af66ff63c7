#!/usr/bin/env bash
# Writes the manifest that installs a version of Herald to standard output: config/default with the image of that version.
#
# Usage: hack/install-manifest.sh VERSION
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ $# == 1 ]] || { echo "Usage: hack/install-manifest.sh VERSION" >&2; exit 2; }
config=$(mktemp -d)
trap 'rm -rf "$config"' EXIT
cp -R config/. "$config"

kustomize=$(go -C tools tool -n kustomize)
(cd "$config/manager" && "$kustomize" edit set image "ghcr.io/herald-network/herald:$1")
"$kustomize" build "$config/default"
