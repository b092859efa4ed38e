.PHONY: sandbox

sandbox: ## A MoneyKit on http://127.0.0.1:8042, until Ctrl-C
	go run ./sandbox/cmd/moneykit-sandbox
