#!/usr/bin/env bash
# Gives the tree another version, everywhere that it says its own: in config/version, which decides, and in what people copy
# commands from. Without a version it fails where one of these says another version than config/version does.
#
# Usage: hack/set-version.sh [VERSION]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
decides=config/version/kustomization.yaml
follow=(README.md docs/install.md docs/removing.md test/install/suite_test.go tools/olm/bundle/bundle_test.go)
tree=$(sed -n '/^  newTag: /{s///p;q}' "$decides")

if [[ $# == 1 ]]; then
	old=${tree#v} new=${1#v}
	sed -i "s/${old//./\\.}/$new/g" "$decides" "${follow[@]}"
	echo "The tree is v$new, of which the chart and the bundle know after: make generate bundle"
	exit
fi
stale=0
for file in "${follow[@]}"; do
	# Versions as a release is found by, or as an agent reports itself.
	while IFS=: read -r line version; do
		[[ $version == "$tree" ]] || { echo "$file:$line says $version, the tree is $tree"; stale=1; }
	done < <(grep -noE 'download/v[^/]+|agentVersion}.=v[^ ]+|version/herald\.v[^ ]+|present = "v[^"]+' "$file" | sed -E 's/:.*(v[0-9].*)/:\1/')
done
((stale == 0)) || { echo "Versions change by hack/set-version.sh VERSION."; exit 1; }
