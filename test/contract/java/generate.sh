#!/usr/bin/env bash
set -euo pipefail
openapi-generator-cli() { java -jar "${OPENAPI_GENERATOR_JAR:?is set by make}" "$@"; }
echo "generator: openapi-generator-cli $(openapi-generator-cli version) java"
# docs:begin generate
openapi-generator-cli generate -i ../../../openapi.yaml -o generated -g java --library native \
  --additional-properties invokerPackage=com.moneykit,apiPackage=com.moneykit.api,modelPackage=com.moneykit.model \
  --additional-properties enumUnknownDefaultCase=true,hideGenerationTimestamp=true
# docs:end
