.PHONY: e2e screenshots

E2E_BIN := $(CURDIR)/.cache/e2e
E2E_ENV = LINKAPP=$(E2E_BIN)/linkapp MONEYKIT_SANDBOX=$(E2E_BIN)/moneykit-sandbox

e2e: linkapp-bundle e2e-setup ## Browser tests of linkapp and Connect in Chromium; screenshots in artifacts/e2e
	git diff --exit-code --stat -- examples/linkapp/static/moneykit-connect.* # the bundle is what the lock file says
	rm -rf artifacts/e2e
	cd examples/linkapp && $(E2E_ENV) ARTIFACTS=$(CURDIR)/artifacts/e2e timeout 300 npm test --silent

screenshots: linkapp-bundle e2e-setup ## The README's screenshot, docs/connect.png
	mkdir -p docs
	cd examples/linkapp && $(E2E_ENV) ARTIFACTS=$(CURDIR)/docs node e2e/screenshot.mjs

.PHONY: e2e-setup
e2e-setup:
	test -x /usr/bin/chromium -a -d /usr/share/fonts/opentype/inter || { apt-get update -q && apt-get install -qy --no-install-recommends chromium fonts-inter; }
	mkdir -p $(E2E_BIN)
	cd examples && go build -o $(E2E_BIN)/linkapp ./linkapp
	cd sandbox && go build -o $(E2E_BIN)/moneykit-sandbox ./cmd/moneykit-sandbox
