#!/usr/bin/env bash
set -euo pipefail
PATH=$CACHE/venv/bin:$PATH
echo "generator: $(openapi-python-client --version | sed 's/ version://')"
openapi-python-client generate --path ../../../openapi.yaml --output-path generated/moneykit --overwrite \
  --meta none --config config.yaml --custom-template-path templates
