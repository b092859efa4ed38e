# What other teams read.
CHROMIUM := /usr/bin/chromium

.PHONY: docs docs-page

docs: artifacts/docs/index.html $(CHROMIUM) ## Render the contract as one page that works off line, and look at it as a phone and a desk do
	cd test/contract/spec && node look.mjs ../../../$< ../../../artifacts/docs

artifacts/docs/index.html: artifacts/openapi.json test/contract/spec/docs.mjs test/contract/spec/node_modules
	mkdir -p $(@D)
	cd test/contract/spec && node docs.mjs ../../../$< ../../../$@

$(CHROMIUM):
	apt-get update -q && apt-get install -qy --no-install-recommends chromium fonts-dejavu-core

docs-page: ## Copy the commands and the code of docs/other-languages.md from the files that make contract runs
	cd test/contract && go test -run TestPage -update .
