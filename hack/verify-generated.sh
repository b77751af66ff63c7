#!/usr/bin/env bash
# Fails when a generated file is stale, and says which and how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
hack/generate.sh "$fresh"

stale=0
while IFS= read -r file; do
	diff -u --label "$file, committed" --label "$file, generated" "$file" "$fresh/$file" || stale=1
done < <(cd "$fresh" && find . -type f -printf '%P\n' | sort)

# A file that nothing generates any more is stale too.
for file in config/crd/bases/*.yaml charts/herald/templates/{crds,rbac,removal}/*; do
	[[ -e $fresh/$file ]] || { echo "$file: nothing generates it any more"; stale=1; }
done
((stale == 0)) || { echo "Generated files are stale: run make generate and commit the result."; exit 1; }
