#!/usr/bin/env bash
# Packs the Helm chart for a release, the same byte for byte each time: helm package notes the time of packing.
#
# Usage: hack/chart.sh HELM VERSION DIRECTORY
# The version is the release's, such as v0.1.0. The chart's own is the same without the v.
set -euo pipefail
helm=$(realpath "$1") version=$2 out=$(realpath -m "$3")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# Files that git doesn't know are left out, and do not slip into a release.
git ls-files -z charts/herald | xargs -0 cp --parents -t "$work"
"$helm" package "$work/charts/herald" --version "${version#v}" --app-version "$version" --destination "$work" >/dev/null
tar -xzmf "$work/herald-${version#v}.tgz" -C "$work"
# Chart.yaml comes first, as helm puts it: who reads the archive's beginning finds out what it is.
tar -c -C "$work" --format=ustar --sort=name --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' \
	herald/Chart.yaml --exclude=herald/Chart.yaml herald | gzip -n9 >"$out/herald-${version#v}.tgz"
"$helm" lint --strict --quiet "$out/herald-${version#v}.tgz"
(cd "$out" && sha256sum "herald-${version#v}.tgz")
