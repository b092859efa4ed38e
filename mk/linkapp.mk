.PHONY: linkapp linkapp-bundle

linkapp: ## The example web application on http://127.0.0.1:8080, until Ctrl-C
	go run ./examples/linkapp

linkapp-bundle: ## Bundle MoneyKit's launcher from npm into what linkapp serves
	cd examples/linkapp && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
