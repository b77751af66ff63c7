#!/usr/bin/env bash
# Runs every fuzz test of the product, one after the other, and stops at the first that finds something.
#
# Usage: hack/fuzz.sh [TIME]
# The time is for each test; by default 5m.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
git grep -oE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' | while IFS=: read -r file function; do
	echo "== ${function#func } ($(dirname "$file"))"
	go test -run '^$' -fuzz "^${function#func }\$" -fuzztime "${1:-5m}" -fuzzminimizetime 10x "./$(dirname "$file")"
done
