#!/usr/bin/env bash
set -euo pipefail
openapi-generator-cli() { java -jar "${OPENAPI_GENERATOR_JAR:?is set by make}" "$@"; }
echo "generator: openapi-generator $(openapi-generator-cli version)"
openapi-generator-cli generate -i ../../../openapi.yaml -o generated -g ruby --library faraday -t templates \
  --additional-properties gemName=moneykit,moduleName=MoneyKit --type-mappings DateTime=UTCTime
