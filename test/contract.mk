# The contract as teams of other languages use it.
.PHONY: contract contract-page contract-release contract-tidy docs docs-page generators schemathesis spec-diff spec-json spec-load

RUN_CONTRACT = cd test/contract && OPENAPI_GENERATOR_JAR=$(OPENAPI_GENERATOR_JAR) GOWORK=off go run .

contract: $(OPENAPI_GENERATOR_JAR) spec-load ## Test clients of five languages and MoneyKit's Python SDK against a sandbox
	$(RUN_CONTRACT)

# One of them, contract-ruby for example.
contract-%: $(OPENAPI_GENERATOR_JAR)
	$(RUN_CONTRACT) $*

contract-page: dist ### Paste docs/other-languages.md, block by block, into an empty folder
	$(call need,curl,curl)
	cd test/contract && GOWORK=off go run . -page

generators: $(OPENAPI_GENERATOR_JAR) ### Count the warnings of 14 generators; UPDATE=1 writes them to docs/other-languages.md
	$(RUN_CONTRACT) -generators $(if $(UPDATE),-update)

schemathesis: ### Run Schemathesis, all phases, against a sandbox, with the seed SEED (1)
	$(RUN_CONTRACT) -schemathesis

contract-tidy: contract-go bench-peers ### Run go mod tidy -diff where the code has to be generated first
	cd test/contract/go && GOWORK=off go mod tidy -diff

contract-release: artifacts/openapi.json artifacts/docs/index.html ### Write what is released with the contract to artifacts/
	cp openapi.yaml artifacts/
	cd test && GOWORK=off go run ./contract/specdiff -base "$(BASE)" -changelog >../artifacts/openapi-changelog.md

spec-diff: ### List the breaking changes of openapi.yaml since BASE (default: the last tag, or the first commit)
	cd test && GOWORK=off go run ./contract/specdiff -base "$(BASE)"

spec-json: artifacts/openapi.json ### Write artifacts/openapi.json, the contract in one file

artifacts/openapi.json: openapi.yaml $(REDOCLY)
	REDOCLY_TELEMETRY=off $(REDOCLY) bundle openapi.yaml --output $@

spec-load: artifacts/openapi.json test/contract/spec/node_modules ### Load the contract in swagger-parser
	cd test/contract/spec && node load.mjs ../../../openapi.yaml ../../../$<

docs: artifacts/docs/index.html ## Render the contract as one HTML page, artifacts/docs/index.html
	$(call need,chromium,chromium)
	cd test/contract/spec && node look.mjs ../../../$< ../../../artifacts/docs

artifacts/docs/index.html: artifacts/openapi.json test/contract/spec/docs.mjs test/contract/spec/node_modules
	mkdir -p $(@D)
	cd test/contract/spec && node docs.mjs ../../../$< ../../../$@

docs-page: ### Copy code and commands into docs/other-languages.md
	cd test/contract && GOWORK=off go test -run TestPage -update .
