# make help lists the targets; the ones for maintainers are in test/*.mk. All need Go 1.26. A target that needs more says
# what is missing; none installs system packages.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The race detector needs cgo, and cgo a C compiler.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# The modules of go.work, from the root. The root alone and test/ are built with GOWORK=off.
WORKSPACE := ./... ./sandbox/... ./sharedtoken/... ./examples/...

include test/tools.mk

.PHONY: help help-all demo test test-all check fix generate sandbox linkapp

help: ## List these targets
	@awk -F ':.*[^#]## ' '/^[a-z0-9-]+:.*[^#]## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

help-all: ## List all targets
	@awk -F ':.*##+ ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST) | sort

demo: ## Link a bank account in the sandbox, or at MONEYKIT_URL if it is set
	@echo "Building the demo. The first build takes about half a minute."
	@go run ./examples/quickstart

test: ## Test the packages that users import: the client, the shared token and the sandbox
	$(if $(RACE),,@echo "No C compiler: testing without the race detector.")
	GOWORK=off go test -short $(RACE) ./...
	go test -short $(RACE) ./sandbox/... ./sharedtoken/...

test-all: test test-model allocs test-examples test-tools ## Run the long tests, and those of the examples and of test/ too

check: vet tidy generated lint spec-lint lint-files ## Run the linters, and compare files that tools write with what they write

fix: generate $(GOLANGCI) ## Generate, format and tidy what make check compares
	$(GOLANGCI) fmt --config .golangci.yaml $$(git ls-files '*.go')
	test/tidy -w

generate: ## Compile openapi.yaml into Go
	go generate ./... ./sandbox/...

sandbox: ## Serve a MoneyKit sandbox on http://127.0.0.1:8042
	go run ./sandbox/cmd/moneykit-sandbox

linkapp: ## Serve the example web application on http://127.0.0.1:8080
	go run ./examples/linkapp

include test/test.mk test/contract.mk test/bench.mk test/browser.mk test/release.mk
