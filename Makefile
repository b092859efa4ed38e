# Two commands need nothing but Go and make: make demo, make test. Every other target installs what it needs.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

# The modules with tests of their own; the contract's consumers in other languages have theirs (make contract).
MODULES := . sandbox examples test/bench test/soak

# The race detector needs cgo, and that a C compiler.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# The pinned tools, each in a module apart from the one that importers see.
LINT := env GOWORK=off go tool -modfile=$(CURDIR)/tools/lint/go.mod golangci-lint
REDOCLY := tools/node_modules/.bin/redocly

.PHONY: help demo test generate check fmt vet lint tidy generated spec-lint consumer

help: ## This list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

demo: ## The whole flow, against MONEYKIT_URL where it is set, else against a sandbox of its own
	go run ./examples/quickstart

test: ## Every hermetic test, with the race detector where there is a C compiler
	@$(if $(RACE),,echo "no C compiler: running without the race detector")
	@for m in $(MODULES); do echo "== $$m"; (cd $$m && go test -timeout 5m $(RACE) ./...) || exit 1; done

generate: ## Compile the contract into gen/
	go generate ./...

check: fmt vet tidy generated lint spec-lint ## Everything that can be said without running the tests

fmt: ## gofmt has nothing to change
	@out=$$(git ls-files -z '*.go' | xargs -0 gofmt -l); [ -z "$$out" ] || { echo "not gofmt-ed:"; echo "$$out"; exit 1; }

vet: ## go vet in each module
	@for m in $(MODULES); do echo "== vet $$m"; (cd $$m && go vet ./...) || exit 1; done

lint: ## golangci-lint in each module
	@for m in $(MODULES); do echo "== lint $$m"; (cd $$m && $(LINT) run --config $(CURDIR)/.golangci.yaml ./...) || exit 1; done

tidy: ## go.mod and go.sum of each module are what go mod tidy makes of them
	@for m in $(MODULES) test/contract/specdiff tools tools/lint tools/vuln; do echo "== tidy $$m"; (cd $$m && GOWORK=off go mod tidy -diff) || exit 1; done

generated: generate ## Generating again gives no diff
	@out=$$(git status --porcelain -- gen); [ -z "$$out" ] || { git diff -- gen; echo "$$out"; \
	echo "generated code is not what the contract makes: commit the result of make generate"; exit 1; }

spec-lint: $(REDOCLY) ## Redocly's recommended rules on the contract; a warning fails too
	@out=$$($(REDOCLY) lint --format=json openapi.yaml 2>/dev/null) || { echo "$$out"; exit 1; }; \
	echo "$$out" | grep -q '"problems": \[\]' || { echo "$$out"; exit 1; }; echo "openapi.yaml: no problem"

$(REDOCLY): tools/package-lock.json
	@command -v npm >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends nodejs npm; }
	cd tools && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

consumer: ## What a module that imports api and auth compiles, compared with the list in test/consumer/modules.txt
	test/consumer/check

include $(sort $(wildcard mk/*.mk))
