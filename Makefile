# `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

COUNTRIES := shared/ingest/enrich/data/country.mmdb
DASHBOARD := functions/dashboard/assets/index.html
MODULES   := node_modules/.package-lock.json
LINT      := bin/golangci-lint
FUNCTIONS := track aggregate query websocket-bridge schema-guard admin dashboard
# Separate modules for tools that only building and deploying need.
TOOLS     := $(sort $(dir $(wildcard tools/*/*_test.go)))
# Timeout of a package's tests. Only a test that hangs takes so long, on any machine.
TEST_TIMEOUT  := 6h
# Tests that compile a lot. They run one after the other, to share the build cache.
COMPILING := ^(TestOpenFaaS|TestKnativeFunc|TestProxy)$$
# Packages whose tests start no server.
PURE      = $$(go list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | grep -v infra/local | cut -d ' ' -f 1)
# Prints the duration of a target.
TIMED     = TIMEFORMAT='$@ took %lR'; time

# Embeds the country database, see shared/ingest/enrich/data.
export GOFLAGS := $(filter-out -tags=countries,$(GOFLAGS)) -tags=countries

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: run
run: build ## Start everything on this machine; print the dashboard's URL and a token
	@exec bin/local

.PHONY: demo
demo: build ## Like run, with a month of generated traffic
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
test: need build ## Run every check; install missing programs
	@$(TIMED) $(MAKE) --no-print-directory -j2 --output-sync=target lint test-go test-tools test-browser test-web

.PHONY: check
check: GOFLAGS := $(filter-out -tags=countries,$(GOFLAGS))
check: $(LINT) ## Run the quick checks, which need only Go: vet, lint of changed packages, tests without servers
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
	@$(TIMED) go test -race -timeout $(TEST_TIMEOUT) -skip '$(COMPILING)' ./... | tools/slowest.sh

.PHONY: test-tools
test-tools: $(DASHBOARD) $(COUNTRIES)
	@# -count=1: Go's test cache does not track files outside a module.
	@$(TIMED) { \
	  go test -timeout $(TEST_TIMEOUT) -p 1 -parallel 1 -run '$(COMPILING)' ./infra/openfaas ./infra/knative ./infra/compose; \
	  for module in $(TOOLS); do (cd $$module && go test -count=1 -timeout $(TEST_TIMEOUT) ./...); done; \
	} | tools/slowest.sh

.PHONY: test-web
test-web: $(MODULES)
	@$(TIMED) npm test

.PHONY: test-browser
test-browser: build
	@$(TIMED) npx playwright test --config e2e

.PHONY: attack
attack: $(DASHBOARD) $(COUNTRIES) ## Attack a whole installation ten times as long as `make test` does; print the memory of each function
	@$(TIMED) ATTACK_ROUNDS=$${ATTACK_ROUNDS:-10} go test -count=1 -timeout $(TEST_TIMEOUT) -v -run '^(TestAttack|TestAccess)$$' ./attack ./functions | grep -v '^ *\(--- PASS\|=== \)'

.PHONY: bench
bench: $(DASHBOARD) $(COUNTRIES) ## Run the benchmarks, which also print their baselines
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
images: ## Build the images and push them to IMAGES with the tag VERSION; BUILD_HOST=NAME builds on another machine
	@tools/images.sh

.PHONY: format
format: $(LINT) $(MODULES) ## Format Go and TypeScript
	$(LINT) fmt ./...
	npm run format

.PHONY: generate
generate: $(MODULES) ## Generate code from the catalogue of fields: Go, OpenAPI, TypeScript
	go generate ./...
	node packages/types/generate.js

.PHONY: data
data: $(MODULES) $(COUNTRIES) ## Update the lists of crawlers and referrers from their pinned packages
	node tools/data.js
	go test -run '^Test(Visitors|RealVisitors|RealPrograms)$$' ./shared/ingest/enrich

.PHONY: clean
clean: ## Remove everything that was built, but keep .data
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
