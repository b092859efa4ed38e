# Connect and linkapp in Chromium.
.PHONY: e2e e2e-setup linkapp-bundle screenshots

E2E_BIN := $(CURDIR)/.cache/e2e
E2E_ENV = LINKAPP=$(E2E_BIN)/linkapp MONEYKIT_SANDBOX=$(E2E_BIN)/moneykit-sandbox

e2e: e2e-setup ## Test linkapp and Connect in a browser
	rm -rf artifacts/e2e
	cd examples/linkapp && $(E2E_ENV) ARTIFACTS=$(CURDIR)/artifacts/e2e timeout 300 npm test --silent

screenshots: e2e-setup ### Take the picture in README.md, docs/connect.png
	cd examples/linkapp && $(E2E_ENV) ARTIFACTS=$(CURDIR)/docs node e2e/screenshot.mjs

e2e-setup: examples/linkapp/node_modules
	$(call need,chromium,chromium)
	@[ -d /usr/share/fonts/opentype/inter ] || { echo "make $@ needs the font Inter. On Debian: apt-get install fonts-inter" >&2; exit 1; }
	go build -o $(E2E_BIN)/ ./examples/linkapp ./sandbox/cmd/moneykit-sandbox

linkapp-bundle: examples/linkapp/node_modules ### Bundle MoneyKit's launcher from npm into examples/linkapp/static
	cd examples/linkapp && npm run --silent build
