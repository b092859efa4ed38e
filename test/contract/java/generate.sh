#!/usr/bin/env bash
set -euo pipefail
openapi-generator-cli() { java -jar "${OPENAPI_GENERATOR_JAR:?is set by make}" "$@"; }
echo "generator: openapi-generator $(openapi-generator-cli version)"
openapi-generator-cli generate -i ../../../openapi.yaml -o generated -g java --library native \
  --additional-properties invokerPackage=com.moneykit,apiPackage=com.moneykit.api,modelPackage=com.moneykit.model \
  --additional-properties enumUnknownDefaultCase=true,useOneOfDiscriminatorLookup=true,hideGenerationTimestamp=true
