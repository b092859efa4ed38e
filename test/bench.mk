# What calls cost, beside code written by hand and clients that other generators write.
.PHONY: bench bench-smoke bench-plot bench-peers fleet fleet-plot

PEERS := test/contract/go/peers
OGEN_CLIENT := $(PEERS)/ogen/oas_client_gen.go
OPENAPI_GENERATOR_CLIENT := $(PEERS)/openapigenerator/client.go
COMPARE := cd test && GOWORK=off go run ./bench/cmd/compare

bench: bench-peers ## Compare the client with code written by hand and with other generators' clients
	$(COMPARE) -binary ../.cache/bench/peers.test -bench Calls
	cd test && GOWORK=off go test -c -o ../.cache/bench/own.test ./bench
	@printf '\na cached token\n'
	$(COMPARE) -binary ../.cache/bench/own.test -bench Token -baseline x-oauth2
	GOWORK=off go test -c -o .cache/bench/webhook.test ./webhook
	@printf '\na webhook event\n'
	$(COMPARE) -binary ../.cache/bench/webhook.test -bench Verify -baseline ecdsa
	@echo
	test/bench/importcost

bench-smoke: bench-peers ### Run each benchmark once
	cd $(PEERS) && GOWORK=off go vet ./...
	$(COMPARE) -binary ../.cache/bench/peers.test -rounds 1 -benchtime 1x
	test/bench/importcost -quick

bench-plot: ### Plot calls per second and memory from 1 to 1,000 goroutines into docs/growth.svg
	cd test && GOWORK=off go run ./bench/cmd/growth -out ../docs/growth.svg

fleet: ### Simulate up to 10,000 processes that start together, with own tokens and with a shared one
	@mkdir -p .cache
	cd sharedtoken && go test -count=1 -v -run Simulation . -fleet.all -fleet.out $(CURDIR)/.cache/fleet.json | grep -v '^=== '

fleet-plot: fleet ### Plot calls without a token into docs/many-instances.svg
	cd test && GOWORK=off go run ./fleet -in ../.cache/fleet.json -out ../docs/many-instances.svg

bench-peers: $(OGEN_CLIENT) $(OPENAPI_GENERATOR_CLIENT) ### Generate the clients that bench compares with
	@mkdir -p .cache/bench
	cd $(PEERS) && GOWORK=off go test -c -o $(CURDIR)/.cache/bench/peers.test .

$(OGEN_CLIENT): openapi.yaml $(PEERS)/ogen.yml test/contract/go/go.mod
	cd $(PEERS) && GOWORK=off go tool ogen -config ogen.yml -loglevel warn -target ogen -package ogen -clean $(CURDIR)/openapi.yaml
	@touch $@

$(OPENAPI_GENERATOR_CLIENT): openapi.yaml $(OPENAPI_GENERATOR_JAR)
	$(call need,java,default-jdk-headless)
	rm -rf $(@D)
	java -jar $(OPENAPI_GENERATOR_JAR) generate -i openapi.yaml -g go -o $(@D) \
		--additional-properties=packageName=openapigenerator,withGoMod=false,enumClassPrefix=true \
		--global-property=apiTests=false,modelTests=false,apiDocs=false,modelDocs=false >.cache/openapigenerator.log 2>&1 || \
		{ cat .cache/openapigenerator.log; exit 1; }
	@touch $@
