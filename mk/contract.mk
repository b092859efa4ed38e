# What other teams do with the contract: contract/ has a consumer for each language, docs.mk what they read.
CONTRACT_LANGUAGES := typescript python ruby java go
MODULES += test/contract

.PHONY: contract $(CONTRACT_LANGUAGES:%=contract-%) spec-json spec-load spec-diff test-specdiff

contract: $(OPENAPI_GENERATOR_JAR) spec-load ## Generate a client in five other languages and run its tests against a sandbox
	cd test/contract && OPENAPI_GENERATOR_JAR=$< go run .

# One of them, for example contract-ruby.
$(CONTRACT_LANGUAGES:%=contract-%): contract-%: $(OPENAPI_GENERATOR_JAR)
	cd test/contract && OPENAPI_GENERATOR_JAR=$< go run . $*

spec-json: artifacts/openapi.json ## The contract as one JSON file, artifacts/openapi.json

artifacts/openapi.json: openapi.yaml $(REDOCLY)
	REDOCLY_TELEMETRY=off $(REDOCLY) bundle openapi.yaml --output $@

spec-load: artifacts/openapi.json test/contract/spec/node_modules ## The contract, YAML and JSON, loads in swagger-parser (kin-openapi and libopenapi: make test)
	cd test/contract/spec && node load.mjs ../../../openapi.yaml ../../../$<

test/contract/spec/node_modules: test/contract/spec/package-lock.json
	@command -v npm >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends nodejs npm; }
	cd test/contract/spec && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

spec-diff: ## What openapi.yaml breaks since BASE=git-ref (default: last tag or first commit), unless its version says so
	cd test/contract/specdiff && GOWORK=off go run . -base "$(BASE)"

# Apart from go.work, since oasdiff's requirements are no concern of the other modules.
spec-diff: test-specdiff
test-specdiff:
	cd test/contract/specdiff && GOWORK=off go test ./...
