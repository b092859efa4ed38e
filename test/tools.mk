# Programs that targets use, in pinned versions, and what to say where a program is missing.

# $(call need,command,package) ends the target unless the command is there.
need = @command -v $(1) >/dev/null || { echo "make $@ needs $(1). On Debian: apt-get install $(2)" >&2; exit 1; }

GOLANGCI := .cache/bin/golangci-lint
GOVULNCHECK := .cache/bin/govulncheck
GREMLINS := .cache/bin/gremlins

$(GOLANGCI) $(GOVULNCHECK) $(GREMLINS) &: tools/check/go.mod
	cd tools/check && GOWORK=off go build -o $(CURDIR)/.cache/bin/ tool
	@touch .cache/bin/*

# What npm installs is in the package-lock.json beside each node_modules.
REDOCLY := tools/node_modules/.bin/redocly
NODE_MODULES := tools/node_modules test/contract/spec/node_modules examples/linkapp/node_modules

$(REDOCLY): tools/node_modules

$(NODE_MODULES): %/node_modules: %/package-lock.json
	$(call need,npm,nodejs npm)
	cd $* && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts
	@touch $@

# OpenAPI Generator comes from Maven Central. Its checksum is pinned here, as go.sum pins modules.
OPENAPI_GENERATOR_VERSION := 7.25.0
OPENAPI_GENERATOR_SHA256 := 41ce4f6b07f196676439d710759fa1ced7a08066d06ff1bf314681470289efae
OPENAPI_GENERATOR_JAR := $(CURDIR)/.cache/openapi-generator-cli-$(OPENAPI_GENERATOR_VERSION).jar

$(OPENAPI_GENERATOR_JAR):
	$(call need,mvn,maven default-jdk-headless)
	mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -DoutputDirectory=$(@D)/download \
		-Dartifact=org.openapitools:openapi-generator-cli:$(OPENAPI_GENERATOR_VERSION)
	cd $(@D)/download && echo "$(OPENAPI_GENERATOR_SHA256)  $(@F)" | sha256sum -c --quiet && mv $(@F) $@
