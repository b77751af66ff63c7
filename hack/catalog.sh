#!/usr/bin/env bash
# Writes a file-based catalog of bundles, rendered and checked by opm: the package herald with its channel stable.
#
# Usage: hack/catalog.sh DIRECTORY BUNDLE...
# The bundles are directories. What they hold becomes part of the catalog, so no image of them is needed to install.
set -euo pipefail
out=$(realpath -m "$1")
shift
bundles=()
for bundle; do
	bundles+=("$(realpath "$bundle")")
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."

opm=$PWD/bin/opm
make --silent BIN="$PWD/bin" "$opm"

rm -rf "$out"
mkdir -p "$out/herald"
catalog=$out/herald/catalog.yaml
"$opm" init herald --default-channel stable --icon config/olm/icon.svg --output yaml >"$catalog"
{
	printf -- '---\nschema: olm.channel\npackage: herald\nname: stable\nentries:\n'
	for bundle in "${bundles[@]}"; do
		# The generated file has these two indented by two.
		sed -nE 's/^  name: (herald\.v.+)/- name: \1/p; s/^  replaces: /  replaces: /p' "$bundle"/manifests/herald.clusterserviceversion.yaml
	done
} >>"$catalog"
for bundle in "${bundles[@]}"; do
	"$opm" render "$bundle" --output yaml >>"$catalog"
done
"$opm" validate "$out"
