# What make test-all, make check and CI run, one by one.
.PHONY: test-model allocs test-examples test-tools test-sharedtoken test-postgres vet tidy generated lint spec-lint consumer add-operation fuzz soak vuln mutation

test-model: ### Test every sequence of up to four faults; make test tests up to three
	GOWORK=off go test $(RACE) -run '^TestModel$$' ./api

allocs: ### Test how much a call allocates, which the race detector would change
	go test -run '^TestAllocs$$' ./api ./auth
	cd test && GOWORK=off go test -run '^TestAllocs$$' ./bench

test-examples: ### Test the examples, and the code in README.md
	cd examples && go test $(RACE) -count=1 ./... # some read files outside the module, which the cache does not see

test-tools: ### Test the benchmarks, the load test and the contract's harness
	cd test && GOWORK=off go test -count=1 ./... # they read files outside the module, which the cache does not see

test-sharedtoken: ### Test the shared token with a Redis server, or the program REDIS_SERVER, and measure it; it takes a minute
	$(call need,$(or $(REDIS_SERVER),redis-server),redis-server)
	cd sharedtoken && go test -tags redis -count=1 -v -run Redis . | grep -v '^=== '

# Debian has PostgreSQL's server outside of PATH.
test-postgres: export PATH := $(PATH):$(lastword $(sort $(wildcard /usr/lib/postgresql/*/bin)))
test-postgres: ### Test linkapp with a PostgreSQL server of its own: two instances, kills and restarts; it takes a minute
	$(call need,initdb,postgresql)
	cd examples && go test -tags postgres -count=1 ./linkapp

vet: ### Run go vet
	go vet -tags redis,postgres $(WORKSPACE)
	cd test && GOWORK=off go vet ./...

lint: $(GOLANGCI) ### Run golangci-lint, which checks the format too
	$(GOLANGCI) run --allow-parallel-runners $(WORKSPACE)
	cd test && GOWORK=off ../$(GOLANGCI) run --allow-parallel-runners --config ../.golangci.yaml ./...

tidy: ### Compare go.mod, go.sum and go.work.sum with what go mod tidy and the go command write
	test/tidy

generated: ### Compare the generated code with what make generate writes
	test/generated

spec-lint: $(REDOCLY) ### Run Redocly's recommended rules on openapi.yaml; a warning fails too
	@out=$$($(REDOCLY) lint --format=json openapi.yaml 2>/dev/null) && grep -q '"problems": \[\]' <<<"$$out" || { echo "$$out"; exit 1; }
	@echo "openapi.yaml: no problem"

consumer: ### Install a release of the working tree, or of the commit BASE, as its users would, and follow README.md
	BASE=$(BASE) test/consumer/check

# Fuzzing. An input that fails is written to testdata/fuzz beside the test, to be fixed and committed.
FUZZTIME ?= 10s

fuzz: ### Fuzz each target for FUZZTIME (10s)
	@grep -rn -o --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' api auth gen internal webhook sharedtoken | \
	while IFS=: read -r file _ func; do \
		echo "== $$(dirname $$file) $${func#func }"; \
		go test "./$$(dirname $$file)" -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) -parallel 2; \
	done

# The client under load. It is bounded, and stays on loopback.
SOAK ?= 2m
PROCESSES ?= 4

soak: ### Run PROCESSES (4) that share a token in Redis under load and faults for SOAK (2m), and check every outcome; 1 needs no Redis
	$(if $(filter-out 1,$(PROCESSES)),$(call need,redis-server,redis-server))
	cd test && GOWORK=off go run $(RACE) ./soak -duration $(SOAK) -processes $(PROCESSES)

vuln: $(GOVULNCHECK) ### Look up known vulnerabilities, where vuln.go.dev can be reached
	@out=$$($(GOVULNCHECK) $(WORKSPACE) 2>&1) && { echo "$$out"; exit 0; }; echo "$$out"; \
	case "$$out" in *"fetching vulnerabilities"*) echo "Not checked: the vulnerability database cannot be reached.";; *) exit 1;; esac

add-operation: ### Add an operation to a copy of the repository, as CONTRIBUTING.md says
	test/add-operation/run

mutation: $(GREMLINS) ### Run mutation tests on PACKAGES (default: the client and the sandbox; about an hour)
	test/mutation $(PACKAGES)
