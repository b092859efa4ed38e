#!/usr/bin/env bash
set -euo pipefail
echo "generator: openapi-typescript $(npx openapi-typescript --version | tr -d v)"
npx openapi-typescript ../../../openapi.yaml --default-non-nullable=false -o generated/moneykit.d.ts
