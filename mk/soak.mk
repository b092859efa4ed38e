# The client under load, with faults of every kind. It is bounded, and stays on loopback.
SOAK ?= 2m

.PHONY: soak

soak: ## Load and faults of every kind, on loopback, for SOAK (2m); then everything is accounted for
	go run $(RACE) ./test/soak -duration $(SOAK)
