# Fuzzing. What a run finds goes into testdata/fuzz beside the target, to be fixed and committed.
FUZZTIME ?= 10s
FUZZ := ./api:FuzzCreateLinkSessionResponse ./api:FuzzExchangeTokenResponse ./api:FuzzErrorBody \
	./auth:FuzzTokenResponse ./internal/transport:FuzzRetryAfter ./internal/transport:FuzzParseURL ./internal/transport:FuzzClean \
	./gen:FuzzUnmarshal

.PHONY: fuzz

fuzz: ## Each fuzz target for FUZZTIME (10s; 10m for the long run)
	@for f in $(FUZZ); do echo "== $$f"; go test $${f%%:*} -run '^$$' -fuzz "^$${f##*:}\$$" -fuzztime $(FUZZTIME) -parallel 2 || exit 1; done
