# OpenAPI Generator, for every target that compiles the contract into another client (included first, since rules name
# its jar as a prerequisite). Its checksum is pinned here, as go.sum pins modules.
OPENAPI_GENERATOR_VERSION := 7.25.0
OPENAPI_GENERATOR_SHA256 := 41ce4f6b07f196676439d710759fa1ced7a08066d06ff1bf314681470289efae
OPENAPI_GENERATOR_JAR := $(CURDIR)/.cache/openapi-generator-cli-$(OPENAPI_GENERATOR_VERSION).jar

$(OPENAPI_GENERATOR_JAR):
	command -v mvn >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends maven default-jre-headless; }
	mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -DoutputDirectory=$(@D)/download \
		-Dartifact=org.openapitools:openapi-generator-cli:$(OPENAPI_GENERATOR_VERSION)
	cd $(@D)/download && echo "$(OPENAPI_GENERATOR_SHA256)  $(@F)" | sha256sum -c --quiet && mv $(@F) $@
