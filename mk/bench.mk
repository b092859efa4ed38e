# What calls cost, beside code written by hand and other generated clients. Their code is generated here into
# test/bench/peers, a module that is not in go.work, since it does not compile before.
.PHONY: bench bench-smoke bench-plot bench-peers test-allocs

OGEN_CLIENT := test/bench/peers/ogen/oas_client_gen.go
OPENAPI_GENERATOR_CLIENT := test/bench/peers/openapigenerator/client.go
COMPARE := cd test/bench && GOWORK=off go run ./cmd/compare -binary ../../.cache/bench/peers.test

bench: bench-peers ## api beside hand-written code and other generated clients: time, memory, and what importing costs
	$(COMPARE) -bench Calls
	@cd test/bench && GOWORK=off go test -c -o ../../.cache/bench/own.test .
	@echo && echo "a cached token" && cd test/bench && GOWORK=off go run ./cmd/compare -binary ../../.cache/bench/own.test -bench Token -yardstick x-oauth2
	@echo && test/bench/importcost

bench-smoke: bench-peers ## Each of the benchmarks once, to see that they run
	cd test/bench/peers && GOWORK=off go vet ./... && GOWORK=off go mod tidy -diff
	$(COMPARE) -rounds 1 -benchtime 1x
	bench/importcost -quick

bench-plot: ## Calls per second and memory from 1 to 1,000 goroutines, into docs/growth.svg
	@mkdir -p docs
	cd test/bench && GOWORK=off go run ./cmd/growth -out ../../docs/growth.svg

bench-peers: $(OGEN_CLIENT) $(OPENAPI_GENERATOR_CLIENT) ## Generate the clients that api is compared with
	@mkdir -p .cache/bench
	cd test/bench/peers && GOWORK=off go test -c -o ../../../.cache/bench/peers.test .

$(OGEN_CLIENT): openapi.yaml test/bench/peers/ogen.yml test/bench/peers/go.mod
	cd test/bench/peers && GOWORK=off go tool ogen -config ogen.yml -loglevel warn -target ogen -package ogen -clean ../../../openapi.yaml
	@touch $@

$(OPENAPI_GENERATOR_CLIENT): openapi.yaml $(OPENAPI_GENERATOR_JAR)
	@command -v java >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends default-jre-headless; }
	rm -rf $(@D)
	java -jar $(OPENAPI_GENERATOR_JAR) generate -i openapi.yaml -g go -o $(@D) \
		--additional-properties=packageName=openapigenerator,withGoMod=false,enumClassPrefix=true \
		--global-property=apiTests=false,modelTests=false,apiDocs=false,modelDocs=false >.cache/openapigenerator.log 2>&1 || \
		{ cat .cache/openapigenerator.log; exit 1; }
	@touch $@

# Allocations are exact, but not under the race detector.
test: test-allocs
test-allocs:
	go test -run '^TestAllocs$$' ./api ./auth
	cd test/bench && go test -run '^TestAllocs$$' .
