# Everything a person does with Herald's source. `make help` lists the targets; CI runs `make test` and nothing else.

SHELL := /usr/bin/env bash -o pipefail
.DEFAULT_GOAL := help

# The tree's version is where a user finds it who installs from the tree.
VERSION ?= $(shell sed -n '/^  newTag: /{s///p;q}' config/version/kustomization.yaml)-dev
# Whole, since how long an abbreviation is differs from clone to clone; and the commit's date, so that it makes the same binary
# on any day.
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
DATE    ?= $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || echo unknown)
STAMP   := github.com/herald-network/herald/internal/version
LDFLAGS := -s -w -X $(STAMP).version=$(VERSION) -X $(STAMP).commit=$(COMMIT) -X $(STAMP).date=$(DATE)

BIN      := $(CURDIR)/bin
COMMANDS := ./cmd/...
DIST     := dist
export CGO_ENABLED ?= 0

# The product, and the tools that check, build and pack it.
MODULES = . tools tools/chart tools/olm

# Packages whose tests need programs that others make, or namespaces; they have targets of their own.
PARTS_PACKAGES = /test/(e2e|envtest|install|interop|lab)(/|$$)|/internal/adapter/(netlink|nftables)$$
UNIT_PACKAGES  = $(shell go list ./... | grep -vE '$(PARTS_PACKAGES)')

##@ Use

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: lab ## Bring up a rack, walk through the tour with real parts, and take everything down again.
	@trap '$(BIN)/lab down --dir .lab-demo' EXIT; \
	  $(BIN)/lab up --dir .lab-demo && $(BIN)/lab tour --dir .lab-demo

##@ Build

.PHONY: build
build: ## Build the manager and the agent into bin/.
	go build -ldflags '$(LDFLAGS)' -o $(BIN)/ $(COMMANDS)

.PHONY: image
image: ## Build the container image as an OCI layout, dist/image, and the list of what is in it, dist/sbom.cdx.json.
	go -C tools run ./image build --checkout $(CURDIR) --version $(VERSION) --commit $(COMMIT) --date $(DATE) \
	  --out $(abspath $(DIST))/image --sbom $(abspath $(DIST))/sbom.cdx.json

# CATALOG is the directory of a catalog that there is already.
.PHONY: catalog-image
catalog-image: $(if $(CATALOG),,catalog) ## Build the image that serves OLM the catalog as an OCI layout, dist/catalog-image, and the list of what is in it.
	go -C tools run ./image catalog --checkout $(CURDIR) --version $(VERSION) --commit $(COMMIT) --date $(DATE) \
	  --configs $(abspath $(or $(CATALOG),dist/catalog)) --out $(abspath $(DIST))/catalog-image --sbom $(abspath $(DIST))/catalog-sbom.cdx.json

MANIFESTS = $(DIST)/install.yaml $(DIST)/remove.yaml $(DIST)/olm.yaml
.PHONY: manifests $(MANIFESTS)
manifests: $(MANIFESTS) ## Write the manifests that install VERSION, without OLM and with it, and that remove it, to dist/.
$(DIST)/install.yaml: BASE = default
$(DIST)/remove.yaml: BASE = removal
$(DIST)/olm.yaml: BASE = subscription
$(MANIFESTS):
	mkdir -p '$(DIST)'
	hack/manifest.sh '$(VERSION)' $(BASE) >'$@'

.PHONY: release
release: ## Make everything that a release of VERSION publishes, in dist/ (docs/release.md).
	hack/release.sh '$(VERSION)' '$(DIST)'

.PHONY: lab
lab: build ## Build bin/lab, the rack in a box (docs/lab.md).
	go build -ldflags '$(LDFLAGS)' -o $(BIN)/lab ./test/lab/cmd/lab

.PHONY: lab-parts
lab-parts: lab ## Install and build what labs are made of: Debian packages, etcd and Kubernetes (once, cached outside the checkout).
	$(BIN)/lab packages
	$(BIN)/lab control-plane

# Built from their own module, with Go's cache: the second time takes seconds. hack/catalog.sh has opm built.
.PHONY: olm-parts
olm-parts: ## Build the Operator Lifecycle Manager itself, with which test-olm installs the bundle (4 min the first time).
	go -C test/olm build -o $(BIN)/olm github.com/operator-framework/operator-lifecycle-manager/cmd/olm
	go -C test/olm build -o $(BIN)/olm-catalog github.com/operator-framework/operator-lifecycle-manager/cmd/catalog

# What the image of a catalog runs: opm, and what OLM's probes run. Without the tag, and with cgo, opm would need gpgme, by which
# images are verified; it has none to verify here.
.PHONY: catalog-server $(BIN)/opm $(BIN)/grpc_health_probe
catalog-server: $(BIN)/opm $(BIN)/grpc_health_probe
$(BIN)/opm:
	CGO_ENABLED=0 go -C tools/olm build -trimpath -buildvcs=false -tags containers_image_openpgp -ldflags '-s -w' -o $@ \
	  github.com/operator-framework/operator-registry/cmd/opm
$(BIN)/grpc_health_probe:
	CGO_ENABLED=0 go -C tools build -trimpath -buildvcs=false -ldflags '-s -w' -o $@ github.com/grpc-ecosystem/grpc-health-probe

.PHONY: chart
chart: $(BIN)/helm ## Pack the Helm chart as dist/herald-VERSION.tgz.
	hack/chart.sh $(BIN)/helm $(VERSION) $(DIST)

.PHONY: generate
generate: ## Generate deep copies, CRDs, the API reference, and the chart's part of config/.
	hack/generate.sh

# The version of a bundle is that of the manager's image in config/, unless one is given.
GIVEN_VERSION = $(if $(filter-out file default,$(origin VERSION)),--version $(VERSION))

.PHONY: bundle
bundle: ## Generate the OLM bundle from config/: VERSION, REPLACES and IMAGE (by digest) make another than the committed one.
	hack/bundle.sh $(GIVEN_VERSION) $(if $(REPLACES),--replaces $(REPLACES)) $(if $(IMAGE),--image $(IMAGE))

.PHONY: bundle-validate
bundle-validate: ## Run the operator framework's validators on the bundle: no error, and no warning without its reason.
	go -C tools/olm run ./validate -explained $(CURDIR)/config/olm/warnings.yaml $(CURDIR)/bundle

.PHONY: catalog
catalog: ## Render a file-based catalog of the bundle into dist/catalog, with opm.
	hack/catalog.sh dist/catalog bundle

##@ Test

.PHONY: test
test: verify test-unit test-chart test-release test-netns test-envtest test-lab test-routers test-racks ## Run every test: what CI runs.

.PHONY: test-unit
test-unit: ## Run the tests that need no cluster, under the race detector, and those of the tools, which build the image.
	CGO_ENABLED=1 go test -race -shuffle=on $(UNIT_PACKAGES)
	nice go -C tools test -shuffle=on -timeout 30m ./...

.PHONY: test-release
test-release: ## Make a release twice, and compare the two.
	hack/verify-release.sh

.PHONY: test-envtest
test-envtest: lab-parts ## Run the tests against a real API server.
	CGO_ENABLED=1 go test -race -shuffle=on ./test/envtest/...

.PHONY: two-managers
two-managers: lab-parts ## Stop a leading manager PAUSES (50) times in the middle of its work, and count what it gave twice.
	HERALD_PAUSES=$(or $(PAUSES),50) go test -v -count 1 -timeout 30m -run TestTwoManagers ./test/envtest/leadership

.PHONY: test-lab
test-lab: lab-parts ## Test the lab: what it promises, down to what it leaves behind.
	CGO_ENABLED=1 go test -race -shuffle=on ./test/lab/...

.PHONY: test-chart
test-chart: $(BIN)/helm ## Test the Helm chart and the kustomizations: what they render, and that both install the same.
	go -C tools/chart test -shuffle=on ./...

.PHONY: test-netns
test-netns: lab-parts ## Test what an agent does to its node's network, in network namespaces (Debian's iproute2 and nftables).
	CGO_ENABLED=1 go test -race -shuffle=on ./internal/adapter/netlink ./internal/adapter/nftables

# Racks spend their time waiting for routers: two run beside each other. Ginkgo gives up after an hour and takes them down; where go
# test gave up before, they would stay.
.PHONY: test-racks
test-racks: lab-parts olm-parts $(BIN)/helm $(BIN)/opm ## Run all tests in racks: end to end, interoperability, installation.
	HERALD_LAB_BIN=$(BIN)/lab go test -p 2 -count 1 -timeout 70m -v ./test/e2e/... ./test/interop/... ./test/install/...

.PHONY: test-e2e
test-e2e: lab-parts ## Run the end-to-end tests: a rack with routers, Herald from its manifests, packets from outside.
	HERALD_LAB_BIN=$(BIN)/lab go test -timeout 30m ./test/e2e/... -v -ginkgo.v $(if $(CI),-ginkgo.no-color)

.PHONY: test-interop
test-interop: lab-parts ## Run the interoperability matrix and the routers' documented configuration: BIRD, FRR, OpenBGPD, GoBGP.
	HERALD_LAB_BIN=$(BIN)/lab go test -timeout 15m -count 1 -v ./test/interop/...

.PHONY: test-install
test-install: lab-parts olm-parts $(BIN)/helm $(BIN)/opm ## Install, upgrade, downgrade and remove Herald in every way that README.md says.
	HERALD_LAB_BIN=$(BIN)/lab go test -timeout 70m -count 1 -v ./test/install/... -ginkgo.v $(if $(CI),-ginkgo.no-color)

.PHONY: test-olm
test-olm: lab-parts olm-parts $(BIN)/opm ## Install the OLM bundle with OLM itself, upgrade and remove it.
	HERALD_LAB_BIN=$(BIN)/lab go test -timeout 70m -count 1 -v ./test/install -ginkgo.v -ginkgo.focus 'With OLM' $(if $(CI),-ginkgo.no-color)

.PHONY: test-routers
test-routers: lab-parts ## Run the BGP and BFD adapters' tests against a real BIRD and a real FRR (Debian's bird2 and frr).
	CGO_ENABLED=1 go test -race -shuffle=on -tags bird -run BIRD ./internal/adapter/gobgp
	CGO_ENABLED=1 go test -race -shuffle=on -tags bird -run 'BIRD|Soak' ./internal/adapter/bfd

.PHONY: soak-bfd
soak-bfd: lab-parts ## Hold a BFD session with BIRD at 300 ms x 3 for SOAK (10m) while every core computes: no false alarm.
	HERALD_BFD_SOAK=$(or $(SOAK),10m) go test -v -count 1 -timeout 2h -tags bird -run TestBFDSoak ./internal/adapter/bfd

.PHONY: bench
bench: lab-parts ## Measure what docs/benchmarks.md reports.
	go test -run '^$$' -bench . -benchmem ./internal/... ./controllers/...
	HERALD_LAB_BIN=$(BIN)/lab go run ./test/bench

.PHONY: fuzz
fuzz: ## Fuzz every parser, validator and webhook, each for FUZZTIME (5m).
	hack/fuzz.sh $(or $(FUZZTIME),5m)

.PHONY: verify
verify: lint verify-generated verify-bundle ## Check style and that generated files are fresh.

.PHONY: lint
lint: $(BIN)/golangci-lint ## Run go vet and golangci-lint.
	for module in $(MODULES); do (cd $$module && go vet ./... && $(BIN)/golangci-lint run --allow-parallel-runners ./...) || exit 1; done

.PHONY: fmt
fmt: $(BIN)/golangci-lint ## Format the code as lint wants it.
	for module in $(MODULES); do (cd $$module && $(BIN)/golangci-lint fmt ./...) || exit 1; done

.PHONY: verify-generated
verify-generated: ## Fail when generated files or go.mod are stale.
	hack/verify-generated.sh
	hack/set-version.sh
	go mod tidy -diff
	go -C tools/chart mod tidy -diff

.PHONY: verify-bundle
verify-bundle: ## Fail when the OLM bundle is stale, lost something on the way, or is not valid.
	hack/verify-bundle.sh
	go -C tools/olm test -shuffle=on ./...
	$(MAKE) bundle-validate
	go -C tools/olm mod tidy -diff

$(BIN)/golangci-lint: tools/go.mod
	go -C tools build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(BIN)/helm: tools/chart/go.mod hack/helm.sh
	mkdir -p $(BIN)
	hack/helm.sh $@

.PHONY: clean
clean: ## Remove what was built here; the control plane's cache stays.
	rm -rf $(BIN) $(DIST)
