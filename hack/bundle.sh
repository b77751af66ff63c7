#!/usr/bin/env bash
# Writes the OLM bundle: bundle/ and bundle.Dockerfile, from config/ and from nothing else.
#
# Usage: hack/bundle.sh [--version VERSION] [--replaces VERSION] [--image IMAGE] [DIRECTORY]
# The version is that of the manager's image in config/ unless given. The directory gets the files; by default it is the
# checkout itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
flags=()
while (($# > 1)) && [[ $1 == --* ]]; do
	flags+=("$1" "$2")
	shift 2
done
out=$(realpath -m "${1:-.}")
go -C tools tool kustomize build "$PWD/config/default" |
	go -C tools/olm run ./bundle -root "$PWD" -out "$out" "${flags[@]}"
