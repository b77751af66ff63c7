#!/usr/bin/env bash
# Writes everything that is generated: deep copies, CRDs and the API reference from the types in api/, and the
# configuration of admission from the markers in webhooks/, and of the Helm chart what follows from config/ and its values.
#
# Usage: hack/generate.sh [DIRECTORY]
# The directory is where the files go, under their own paths; by default the checkout itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(realpath "${1:-.}")
mkdir -p "$out"/{api/v1alpha1,config/{crd/bases,webhook},docs/reference}

# The tools' module builds controller-gen, but it has to run where the types are.
controller_gen=$(go -C tools tool -n controller-gen)
"$controller_gen" object paths=./api/... output:object:dir="$out/api/v1alpha1"
"$controller_gen" crd paths=./api/... output:crd:dir="$out/config/crd/bases"
"$controller_gen" webhook paths=./webhooks/... output:webhook:dir="$out/config/webhook"
go -C tools run ./apidoc "$out/config/crd/bases" >"$out/docs/reference/api.md"
go -C tools/chart run . "$PWD" "$out"
