# `make` says what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

COUNTRIES := shared/ingest/enrich/data/country.mmdb
DASHBOARD := functions/dashboard/assets/index.html
MODULES   := node_modules/.package-lock.json
LINT      := bin/golangci-lint
FUNCTIONS := track aggregate query websocket-bridge schema-guard admin dashboard
# Modules of their own, for what only building and deploying need.
TOOLS     := $(sort $(dir $(wildcard tools/*/*_test.go)))
# How long one package's tests may take: only a test that hangs takes so long, on any machine.
PATIENCE  := 6h
# Tests that compile much, one after the other: what one has compiled the next need not.
COMPILING := ^(TestOpenFaaS|TestKnativeFunc|TestProxy)$$
# Packages whose tests start no servers.
PURE      = $$(go list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | grep -v infra/local | cut -d ' ' -f 1)
# A stage says in the end how long it took.
TIMED     = TIMEFORMAT='$@ took %lR'; time

# Programs have the countries, see shared/ingest/enrich/data.
export GOFLAGS := $(filter-out -tags=countries,$(GOFLAGS)) -tags=countries

.PHONY: help
help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: run
run: build ## Start everything on this machine: prints the dashboard's address and a token
	@exec bin/local

.PHONY: demo
demo: build ## The same, with a month of made-up traffic
	@exec bin/local demo

.PHONY: build
build: $(DASHBOARD) $(COUNTRIES) ## Build the dashboard and every program, into bin/
	@$(TIMED) { \
	  go build -o bin/ ./infra/local/cmd/local ./cmd/analytics; \
	  printf '%s\n' $(FUNCTIONS) | xargs -P 2 -I NAME go build -o bin/NAME ./functions/NAME/cmd; \
	}

.PHONY: lambda
lambda: $(DASHBOARD) $(COUNTRIES) ## Build every function for AWS Lambda, into bin/lambda/
	go run ./infra/lambda/cmd/bundle $(FUNCTIONS)

.PHONY: test
test: need build ## Every check of the project; installs what is missing
	@$(TIMED) $(MAKE) --no-print-directory -j2 --output-sync=target lint test-go test-tools test-browser test-web

.PHONY: check
check: GOFLAGS := $(filter-out -tags=countries,$(GOFLAGS))
check: $(LINT) ## The quick checks, which need Go alone: vet, lint of what has changed, tests without servers
	@$(TIMED) { \
	  go vet ./...; \
	  changed=$$(tools/changed.sh); if [ -n "$$changed" ]; then $(LINT) run $$changed; fi; \
	  pure=$(PURE); \
	  go test $$pure; \
	}

.PHONY: need
need:
	@tools/need.sh initdb=postgresql redis-server=redis-server chromium=chromium gcc=gcc

.PHONY: test-go
test-go: $(DASHBOARD) $(COUNTRIES)
	@$(TIMED) go test -race -timeout $(PATIENCE) -skip '$(COMPILING)' ./... | tools/slowest.sh

.PHONY: test-tools
test-tools: $(DASHBOARD) $(COUNTRIES)
	@# -count=1, since Go does not know of the files outside of a module that its tests read.
	@$(TIMED) { \
	  go test -timeout $(PATIENCE) -p 1 -parallel 1 -run '$(COMPILING)' ./infra/openfaas ./infra/knative ./infra/compose; \
	  for module in $(TOOLS); do (cd $$module && go test -count=1 -timeout $(PATIENCE) ./...); done; \
	} | tools/slowest.sh

.PHONY: test-web
test-web: $(MODULES)
	@$(TIMED) npm test

.PHONY: test-browser
test-browser: build
	@$(TIMED) npx playwright test --config e2e

.PHONY: bench
bench: $(DASHBOARD) $(COUNTRIES) ## Measure; benchmarks print their own baseline beside them
	go test -run '^$$' -bench . ./...

.PHONY: lint
lint: $(LINT) $(MODULES) $(DASHBOARD) $(COUNTRIES) ## Check the style of Go and TypeScript
	@$(TIMED) { \
	  $(LINT) run ./...; \
	  for module in $(TOOLS); do (cd $$module && $(CURDIR)/$(LINT) run ./...); done; \
	  npm run lint; \
	}

.PHONY: assets
assets: $(DASHBOARD) $(COUNTRIES)

.PHONY: images
images: ## Build the images and push them to IMAGES, tagged VERSION; elsewhere with BUILD_HOST=NAME
	@tools/images.sh

.PHONY: format
format: $(LINT) $(MODULES) ## Format Go and TypeScript
	$(LINT) fmt ./...
	npm run format

.PHONY: generate
generate: $(MODULES) ## Write what follows from the catalogue of fields: Go, OpenAPI, TypeScript
	go generate ./...
	node packages/types/generate.js

.PHONY: data
data: $(MODULES) ## Take crawlers and referrers from their pinned packages again
	node tools/data.js

.PHONY: clean
clean: ## Remove what was built, and keep .data
	rm -rf bin node_modules packages/*/node_modules packages/*/dist test-results $(COUNTRIES)
	find functions/dashboard/assets -mindepth 1 ! -name .gitkeep -delete

$(MODULES): package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

$(DASHBOARD): $(MODULES) $(shell find packages/dashboard -path '*/node_modules' -prune -o -type f -print)
	npm run build
	@touch $@

$(COUNTRIES): $(MODULES)
	cp node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb $@

$(LINT): tools/lint/go.mod tools/lint/go.sum
	go build -modfile=tools/lint/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
