# Continuous integration runs these same targets, through .ci/run.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

MODULE  := github.com/qctl/qctl
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w $(if $(VERSION),-X $(MODULE)/cmd.version=$(VERSION))

# Tools live outside go.mod, one folder per version, so that their dependencies
# never mix with the program's and switching branches never rebuilds them.
TOOLS                 ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/qctl-tools
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT         := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)/golangci-lint

# What `make generate` writes; never edited by hand.
GENERATED := completions docs/cli docs/man docs/qctl.schema.json

INTEROP       := test/interop
INTEROP_READY := $(INTEROP)/node_modules/.package-lock.json

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the static binary ./qctl
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o qctl .

.PHONY: test
test: $(INTEROP_READY) ## Run every test with the race detector (needs redis-server, redis-sentinel, node, npm)
	go test -race -count=1 -timeout=20m ./...

# npm writes this file last, so it is older than the lock file, or missing,
# exactly when the installed packages are not the locked ones.
$(INTEROP_READY): $(INTEROP)/package-lock.json $(INTEROP)/package.json
	cd $(INTEROP) && npm ci --no-audit --no-fund
	@touch $@

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Check style, walls between packages and formatting
	$(GOLANGCI_LINT) run ./...
	go vet ./...

.PHONY: format
format: $(GOLANGCI_LINT) ## Rewrite the Go files as gofumpt and goimports want them
	$(GOLANGCI_LINT) fmt ./...

.PHONY: tools
tools: $(GOLANGCI_LINT) ## Install the lint tool into its cached folder

$(GOLANGCI_LINT):
	GOBIN='$(@D)' GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

.PHONY: generate
generate: ## Write completions, command reference, man pages and the schema
	go run . generate

# Compared with a copy and not with git, so that it tells the truth in a
# working tree with changes, too.
.PHONY: verify
verify: ## Fail when generated files, formatting or go.mod are out of date
	@before="$$(mktemp -d)"; trap 'rm -rf "$$before"' EXIT; \
	copy() { if [ -e "$$1" ]; then mkdir -p "$$2/$$(dirname "$$1")" && cp -R "$$1" "$$2/$$1"; fi; }; \
	mkdir "$$before/was" "$$before/is"; \
	for path in $(GENERATED); do copy "$$path" "$$before/was"; done; \
	$(MAKE) --no-print-directory generate; \
	for path in $(GENERATED); do copy "$$path" "$$before/is"; done; \
	diff -ruN "$$before/was" "$$before/is" || { echo 'generated files were out of date; they are rewritten now: commit them'; exit 1; }
	@unformatted="$$(go list -f '{{$$dir := .Dir}}{{range .GoFiles}}{{$$dir}}/{{.}} {{end}}{{range .TestGoFiles}}{{$$dir}}/{{.}} {{end}}{{range .XTestGoFiles}}{{$$dir}}/{{.}} {{end}}{{range .IgnoredGoFiles}}{{$$dir}}/{{.}} {{end}}' ./... | xargs gofmt -l)"; \
	if [ -n "$$unformatted" ]; then echo "not formatted (run make format):"; echo "$$unformatted"; exit 1; fi
	go mod tidy -diff
	go mod verify

.PHONY: bench
bench: ## Measure against a real Redis and the engines of others
	./bench/run.sh

.PHONY: bench-scale
bench-scale: ## Measure the commands that have a bound, with a million failed jobs
	./bench/scale.sh
