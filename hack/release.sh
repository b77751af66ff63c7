#!/usr/bin/env bash
# Makes everything that a release publishes, and SHA256SUMS, the digests of it. The same commit makes the same bytes.
#
# Usage: hack/release.sh VERSION [DIRECTORY]
# The directory is dist by default. A checkout that differs from its commit is refused, unless ALLOW_DIRTY is set: nobody else
# could make that release. REPLACES is the version that OLM upgrades to this one, if any. RELEASE_TOOLCHAIN is the Go that builds; by default it is the one that go.mod names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${1-}
out=$(realpath -m "${2:-dist}")

# Semantic Versioning 2.0.0 with a v, but without build metadata: a "+" can't stand in the tag of an image.
number='(0|[1-9][0-9]*)'
identifier='(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
[[ $version =~ ^v$number\.$number\.$number(-$identifier(\.$identifier)*)?$ ]] || {
	echo "VERSION is \"$version\": want a semantic version with a v and without build metadata, such as v0.1.0 or v0.2.0-rc.1" >&2
	exit 2
}
changes=$(git status --porcelain)
[[ -z $changes || -n ${ALLOW_DIRTY-} ]] || {
	echo "The checkout differs from its commit: commit this, take it away, or set ALLOW_DIRTY=1 for a release to try:" >&2
	echo "$changes" >&2
	exit 1
}
tree=$(sed -n '/^  newTag: /{s///p;q}' config/version/kustomization.yaml)
[[ $version == "$tree" ]] ||
	echo "Warning: config/version/kustomization.yaml says $tree: kubectl apply -k of this commit installs that, not $version" >&2

# Another Go makes other bytes.
GOTOOLCHAIN=${RELEASE_TOOLCHAIN:-$(sed -n 's/^toolchain //p' go.mod)}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export GOTOOLCHAIN SOURCE_DATE_EPOCH
mkdir -p "$out"
artifacts=()

# have TARGET... has make make something of this version, in the directory of the release.
have() {
	make --silent "$@" VERSION="$version" COMMIT="$(git rev-parse HEAD)" \
		DATE="$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" DIST="$out"
}

# pack ARCHIVE DIRECTORY NAME... archives files of a directory, the same files as the same bytes.
pack() {
	tar --create --file "$1" --directory "$2" --format=ustar --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
		--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX "${@:3}"
}

# The container image, for engines to load and registries to be filled from, and what is in it.
have image
pack "$out/herald-$version-image.tar" "$out/image" blobs index.json oci-layout
artifacts+=("herald-$version-image.tar" sbom.cdx.json)

# The manifests for kubectl apply.
have manifests
artifacts+=(install.yaml remove.yaml olm.yaml)

# The Helm chart, whose version has no v.
have chart
artifacts+=("herald-${version#v}.tgz")

# OLM's bundle, for catalogs to take in, and a catalog that has it alone. It names the image by its digest: a cluster that mirrors
# images finds it by that alone.
digest=$(grep -oE 'sha256:[0-9a-f]{64}' "$out/image/index.json")
rm -rf "$out/olm"
hack/bundle.sh --version "$version" --image "ghcr.io/herald-network/herald@$digest" ${REPLACES:+--replaces "$REPLACES"} "$out/olm"
pack "$out/herald-$version-bundle.tar" "$out/olm" bundle bundle.Dockerfile
hack/catalog.sh "$out/olm/catalog" "$out/olm/bundle"
cp "$out/olm/catalog/herald/catalog.yaml" "$out/catalog.yaml"
artifacts+=("herald-$version-bundle.tar" catalog.yaml)

# The image that serves that catalog, which a CatalogSource points at, and what is in it.
have catalog-image CATALOG="$out/olm/catalog"
pack "$out/herald-$version-catalog-image.tar" "$out/catalog-image" blobs index.json oci-layout
artifacts+=("herald-$version-catalog-image.tar" catalog-sbom.cdx.json)

(cd "$out" && sha256sum "${artifacts[@]}" >SHA256SUMS)
echo "Herald $version is in $out:"
cat "$out/SHA256SUMS"
