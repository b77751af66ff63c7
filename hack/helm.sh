#!/usr/bin/env bash
# Builds Helm from its Go module, with the Kubernetes version that its own release would be given: without a cluster, charts
# are rendered for that one.
#
# Usage: hack/helm.sh FILE
set -euo pipefail
out=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../tools/chart"
minor=$(go list -m -f '{{.Version}}' k8s.io/client-go | cut -d. -f2)
flags=(-s -w -X "helm.sh/helm/v3/internal/version.version=$(go list -m -f '{{.Version}}' helm.sh/helm/v3)")
for package in lint/rules chartutil; do
	flags+=(-X "helm.sh/helm/v3/pkg/$package.k8sVersionMajor=1" -X "helm.sh/helm/v3/pkg/$package.k8sVersionMinor=$minor")
done
go build -ldflags "${flags[*]}" -o "$out" helm.sh/helm/v3/cmd/helm
