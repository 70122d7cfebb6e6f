# Tokensync. `make` prints the targets. Needed: Go, git; for `make test` xmlsec1, for `make e2e` chromium, npm, prometheus, python3 and curl (Debian packages).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT)

IMAGE_REPOSITORY ?= tokensync
IMAGE            ?= $(IMAGE_REPOSITORY):$(VERSION)
FUZZTIME         ?= 10s
DIST             ?= dist
PKG              ?= ./...
RUN              ?= .

# Development tools, pinned in hack/tools/go.mod; each is built when it is first used and then comes from Go's build cache.
TOOL := go tool -modfile=hack/tools/go.mod

# For the shell of a recipe: where etcd, kube-apiserver and kubectl are, built when they are missing.
WITH_CONTROL_PLANE := KUBEBUILDER_ASSETS=$$(hack/kube/build.sh); export KUBEBUILDER_ASSETS

##@ Try

.PHONY: demo
demo: ## Watch it work: a local control plane, a scripted vendor, the real manager (KEEP=1 leaves them running)
	@[ -x bin/demo/demo ] || echo 'Building the demo (a minute or two the first time)'
	@go build -o bin/demo/ ./hack/demo ./cmd/manager
	@KEEP='$(KEEP)' exec bin/demo/demo # with no shell between, so that a signal to make reaches it

.PHONY: demo-picture
demo-picture: ## Run the demo on a terminal and draw docs/images/demo.svg (needs tmux and npm)
	go build -o bin/demo/ ./hack/demo ./cmd/manager
	cd hack/demo/picture && npm ci --silent --no-audit --no-fund
	@$(WITH_CONTROL_PLANE); hack/demo/picture/record.sh bin/demo/run.ansi
	node hack/demo/picture/render.mjs bin/demo/run.ansi docs/images/demo.svg

.PHONY: play-image
play-image: ## Build tokensync-play:dev, a vendor to play with in a cluster (docs/getting-started.md)
	CGO_ENABLED=0 GOOS=linux go build -o bin/play/play ./hack/play
	source hack/image/tool.sh; "$${build[@]}" -f hack/play/Dockerfile -t tokensync-play:dev bin/play

##@ Develop

.PHONY: generate
generate: ## Write deep copies, the CRD, the manager's role and the API reference from the Go types and their markers, what the chart and Argo CD take over, and third parties' notices
	$(TOOL) controller-gen object paths=./api/...
	$(TOOL) controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	$(TOOL) controller-gen rbac:roleName=tokensync-manager paths=./internal/controller/... output:rbac:dir=config/rbac
	go tool -modfile=hack/docs/go.mod crd-ref-docs --log-level=ERROR --config=hack/docs/config.yaml --templates-dir=hack/docs/templates \
	  --source-path=api/v1alpha1 --renderer=markdown --output-path=docs/reference/api.md
	go run ./hack/chart
	go run ./hack/argocd
	@$(MAKE) --no-print-directory licences

.PHONY: tidy
tidy: ## Tidy every module
	for mod in $$(git ls-files '*go.mod'); do (cd "$$(dirname "$$mod")" && go mod tidy); done

.PHONY: fmt
fmt: ## Format the code and its imports
	$(TOOL) golangci-lint fmt

.PHONY: verify
verify: generate tidy fmt ## Fail unless what is committed is generated, tidy and formatted
	@if [ -n "$$(git status --porcelain)" ]; then \
	  git --no-pager diff; git status --short; \
	  echo "The tree differs from what is committed: commit what \`make generate tidy fmt\` changed." >&2; exit 1; fi

.PHONY: lint
lint: ## Check the code and the architecture (.golangci.yml)
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run ./...
	cd test && go tool -modfile=../hack/tools/go.mod golangci-lint run ./...
	cd hack/release && go tool -modfile=../tools/go.mod golangci-lint run ./...

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in what is called (asks vuln.go.dev, or VULNDB=file:///srv/vulndb)
	@hack/vulncheck.sh

.PHONY: licences
licences: ## Check the licences of all that is linked, and write THIRD_PARTY_NOTICES
	go -C hack/release run . licences

##@ Test

.PHONY: control-plane
control-plane: ## Build a local API server for tests and demo, once (about four minutes)
	@hack/kube/build.sh

.PHONY: test
test: ## Run every test with the race detector (PKG=./internal/oauth/... for some)
	@$(WITH_CONTROL_PLANE); go test -race -timeout=30m -parallel=4 $(PKG) # tests wait more than they work

.PHONY: e2e
e2e: ## Run the real manager against faults, an authorization server of others, and a browser (PKG=./browser for some)
	@cd test/browser && npm ci --silent --no-audit --no-fund
	@$(WITH_CONTROL_PLANE); cd test && go test -count=1 -timeout=20m -parallel=8 $(PKG) # the cache does not see what they build

.PHONY: acceptance
acceptance: ## Go every way from kubectl apply to a token that a server of others accepts (needs xmlsec1; docs/testing.md)
	@$(WITH_CONTROL_PLANE); cd test && go test -count=1 ./acceptance

.PHONY: soak
soak: ## Let 1,000 short-lived tokens live through faults and deaths, and go through the books (SOAK_TIME=10m SOAK_SEED=1; docs/testing.md)
	@$(WITH_CONTROL_PLANE); cd test && go test -tags=load -count=1 -timeout=60m -v ./soak

.PHONY: bench
bench: ## Measure what 1,000 and 10,000 OAuthTokens cost, against the bare cost of the same writes (about two hours; docs/testing.md)
	@$(WITH_CONTROL_PLANE); cd test && go test -tags=load -count=1 -timeout=180m -v ./load

.PHONY: shards
shards: ## Run several managers side by side, and one over namespaces with equal names
	@$(WITH_CONTROL_PLANE); cd test && go test -count=1 ./shards

.PHONY: leaks
leaks: ## Look for secrets wherever they have no business, while every grant fails in every way (docs/testing.md)
	@$(WITH_CONTROL_PLANE); cd test && go test -count=1 -timeout=15m ./leaks

.PHONY: docs
docs: generate ## Write the API reference, and check the documentation: links, anchors, samples, a section for each reason
	@$(WITH_CONTROL_PLANE); cd test && go test -count=1 ./docs

.PHONY: rules-test
rules-test: ## Test the alerts (needs promtool, of the Debian package prometheus)
	cd test && go test -count=1 ./alerts

.PHONY: observe
observe: ## Ask a real Prometheus every query of the alerts and the dashboard (needs prometheus and promtool)
	@$(WITH_CONTROL_PLANE); cd test && go test -count=1 ./observability

.PHONY: gitops
gitops: ## Ask a real Argo CD in a real cluster (ARGOCD_LAB=script, LAB=script or KUBECONFIG=file, RUN=Test for some; see test/gitops/doc.go)
	@$(WITH_CONTROL_PLANE); cd test && go test -tags=cluster -count=1 -timeout=45m -parallel=4 -v -run='$(RUN)' ./gitops

.PHONY: e2e-cluster
e2e-cluster: ## Run the image in real clusters: by the script LAB, or a cluster of yours by KUBECONFIG (test/e2e/doc.go tells all)
	@$(WITH_CONTROL_PLANE); cd test && go test -tags=cluster -count=1 -timeout=60m -parallel=3 -v -run='$(RUN)' ./e2e

# The tests of internal/controller that bring faults, in the order of the section Faults of docs/testing.md: a test of test/docs compares the two.
FAULTS := TestFaultMatrix TestFaultMatrixOfAuthorizationAnswers \
  TestARefreshTokenSurvivesAnAPIServerThatIsAwayAndTheManagersStop TestNothingIsSentWhereTheIntentCanNotBeWritten \
  TestAStatusThatCantBeWrittenMakesNoHotLoop TestATokenThatCanNotBeWrittenIsKeptUntilItCan TestReadyEndsWithTheTokenAlthoughTheTargetCanNotBeWritten \
  TestATargetWhoseAnswerIsLostIsNoFight TestAnIntentWhoseAnswerIsLostIsNoDoubt TestACodeWhoseIntentsAnswerIsLostIsSent \
  TestAnAssertionWhoseIntentsAnswerIsLostIsSent \
  TestAConflictDoesNotLoseARefreshToken TestATokenLandsAlthoughSomebodyEditsTheTargetMeanwhile \
  TestACacheThatIsBehindCostsNoSecondRequest TestACacheThatIsBehindHasNothingRevokedTwice \
  TestAWebhookThatUndoesEachRepairIsNotFoughtWithoutEnd TestAWebhookThatSpoilsTheTokenCostsFewerAndFewerRequests \
  TestARenewalWhoseWriteIsRefusedIsKeptAndWrittenLater TestAStateSecretThatIsRefusedIsToldOf TestAFormerTargetThatCanNotBeDeletedDelaysNoRenewal \
  TestNothingIsRequestedWhereAQuotaLeavesNoPlace TestNothingIsRequestedInANamespaceThatIsBeingDeleted TestNothingIsSpentInANamespaceThatIsBeingDeleted \
  TestAClockThatJumpsCostsFewRequests TestAClockThatJumpsLosesNoRefreshToken TestAClockThatIsCorrectedKeepsNoAnswerFromTheTarget TestAnIntentOfAClockThatWasAheadDoesNotHoldForHours

.PHONY: faults
faults: ## Bring every failure of a vendor on every grant, and take the manager's cluster, vendor and life away (about ten minutes)
	@$(WITH_CONTROL_PLANE); tests='$(FAULTS)'; go test -count=1 -timeout=20m -parallel=8 -run="^($${tests// /|})$$" ./internal/controller
	@$(WITH_CONTROL_PLANE); cd test && go test -count=1 -timeout=20m -parallel=8 ./faults/...

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME (10s) each
	@git grep -oE --untracked '^func Fuzz\w+' -- '*_test.go' | while IFS=: read -r file func; do \
	  go test "./$$(dirname "$$file")" -run='^$$' -fuzz="^$${func#func }$$" -fuzztime=$(FUZZTIME) </dev/null; done

.PHONY: fuzz-keep
fuzz-keep: ## Keep what fuzzing found worth running: copy it from Go's cache to testdata/fuzz, which `make test` runs
	@cache=$$(go env GOCACHE)/fuzz/$$(go list -m); cd "$$cache" && find . -type f -path '*/Fuzz*' | while read -r file; do \
	  into="$(CURDIR)/$$(dirname "$$(dirname "$$file")")/testdata/fuzz/$$(basename "$$(dirname "$$file")")"; \
	  mkdir -p "$$into" && cp -n "$$file" "$$into/"; done

##@ Ship

.PHONY: build
build: ## Build bin/manager for this machine (the Dockerfile has the release's flags)
	go build -ldflags '$(LDFLAGS)' -o bin/manager ./cmd/manager

.PHONY: plugin
plugin: ## Build bin/kubectl-tokensync, with what completes it; anywhere in PATH it is `kubectl tokensync`
	go build -ldflags '$(LDFLAGS)' -o bin/kubectl-tokensync ./cmd/kubectl-tokensync
	cp cmd/kubectl-tokensync/kubectl_complete-tokensync bin/

.PHONY: image
image: ## Build the container image (IMAGE=registry.example.com/tokensync:v1 PLATFORM=linux/arm64 OUTPUT=dist/image.tar BUILD_BASE=local)
	@IMAGE='$(IMAGE)' VERSION='$(VERSION)' COMMIT='$(COMMIT)' hack/image/build.sh

.PHONY: build-installer
build-installer: ## Write dist/install.yaml: everything that a cluster needs, with IMAGE
	@mkdir -p $(DIST)
	$(TOOL) kustomize build config/default | sed 's|image: tokensync:dev$$|image: $(IMAGE)|' >$(DIST)/install.yaml

.PHONY: release
release: ## Build all that a release has into dist/VERSION (VERSION=v0.1.0 IMAGE_REPOSITORY=registry.example.com/tokensync; needs buildah)
	@go -C hack/release run . build '$(VERSION)' '$(IMAGE_REPOSITORY)'

.PHONY: test-release
test-release: ## Build a whole release and open each file of it, and see that the same source gives the same image (needs buildah)
	cd hack/release && go test -count=1 -timeout=40m ./...

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
