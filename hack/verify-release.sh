#!/usr/bin/env bash
# Makes a release twice, here and in a copy of the checkout at another path, and fails unless both are the same, are whole, and
# name no other version. What is released is the checkout as it is, committed or not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=v9.8.7-rc.1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
checkout=$PWD
fail() { echo "The release is not as it should be: $*" >&2; exit 1; }

# refuses WORDS COMMAND... holds a release to not being made, and to the words that say why.
refuses() {
	local words=$1 said
	shift
	if said=$("$@" 2>&1); then fail "it was made by: $*"; fi
	[[ $said == *"$words"* ]] || fail "it was refused with \"$said\", want \"$words\""
}

copy=$scratch/some/where/else
git clone --quiet --shared --no-checkout . "$copy"
git -C "$copy" reset --quiet --hard # And what is not committed yet:
git ls-files -z --deleted | (cd "$copy" && xargs -0 --no-run-if-empty rm -f)
git ls-files -z --modified --others --exclude-standard |
	tar --create --null --files-from=- --ignore-failed-read --warning=no-failed-read | tar --extract --directory "$copy"

for wrong in "" 1.2.3 v1.2 v1.2.3.4 v01.2.3 v1.2.3-01 v1.2.3+build latest; do
	refuses "VERSION is \"$wrong\": want a semantic version" "$copy/hack/release.sh" "$wrong" "$scratch/refused"
done
touch "$copy/new"
refuses "?? new" "$copy/hack/release.sh" "$version" "$scratch/refused"
rm "$copy/new"

# Both are made by this machine's Go, whichever it is: that is not what is compared here.
export RELEASE_TOOLCHAIN=$(go env GOVERSION) ALLOW_DIRTY=1
hack/release.sh "$version" "$scratch/first"
(umask 077 && TZ=Pacific/Chatham LC_ALL=C GOFLAGS=-buildvcs=true "$copy/hack/release.sh" "$version" "$scratch/second")
diff -u "$scratch"/{first,second}/SHA256SUMS || fail "made twice, it differs"

cd "$scratch/first"
sha256sum --check --strict --quiet SHA256SUMS
for manifest in install.yaml remove.yaml; do
	[[ $(grep -oE 'ghcr\.io/[^ ]+' $manifest | sort -u) == "ghcr.io/herald-network/herald:$version" ]] ||
		fail "$manifest names other images than $version's: $(grep -oE 'ghcr\.io/[^ ]+' $manifest)"
done
grep -qF "image: ghcr.io/herald-network/herald-catalog:$version" olm.yaml || fail "olm.yaml does not name the catalog of $version"
tar --extract --file "herald-${version#v}.tgz" --to-stdout herald/Chart.yaml | grep -xqF "appVersion: $version" ||
	fail "the chart is not of $version"
digest=$(grep -oE 'sha256:[0-9a-f]{64}' image/index.json)
for olm in "$(tar --extract --file "herald-$version-bundle.tar" --to-stdout)" "$(<catalog.yaml)"; do
	said=$(grep -oE 'ghcr\.io/[^ "]+|name: herald\.v.*' <<<"$olm" | sort -u)
	[[ $said == "ghcr.io/herald-network/herald@$digest"$'\n'"name: herald.$version" ]] || fail "what OLM installs is not $version: $said"
done
for image in image catalog-image; do
	mkdir "unpacked-$image"
	tar --extract --file "herald-$version-$image.tar" --directory "unpacked-$image"
	diff --recursive $image "unpacked-$image" || fail "herald-$version-$image.tar holds another image than the layout"
done
for platform in linux/amd64 linux/arm64; do
	go -C "$checkout/tools" run ./image unpack "$PWD/catalog-image" "$PWD/root/$platform" --platform $platform
	cmp catalog.yaml "root/$platform/configs/herald/catalog.yaml" || fail "the catalog's image for $platform serves another catalog"
done
echo "The release is the same, made twice."
