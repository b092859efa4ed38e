#!/usr/bin/env bash
set -euo pipefail
openapi-generator-cli() { java -jar "${OPENAPI_GENERATOR_JAR:?is set by make}" "$@"; }
echo "generator: openapi-generator-cli $(openapi-generator-cli version) ruby"
# docs:begin generate
openapi-generator-cli generate -i ../../../openapi.yaml -o generated -g ruby --library faraday -t templates \
  --additional-properties gemName=moneykit,moduleName=MoneyKit --type-mappings DateTime=UTCTime
# docs:end
