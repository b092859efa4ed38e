#!/usr/bin/env bash
set -euo pipefail
export GOWORK=off
echo "generator: ogen $(go list -m -f '{{.Version}}' github.com/ogen-go/ogen)"
go tool openapi-overlay apply overlay.yaml ../../../openapi.yaml > generated/openapi.yaml
go tool ogen --config ogen.yaml --package moneykit --target generated/moneykit --clean generated/openapi.yaml
