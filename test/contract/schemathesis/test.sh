#!/usr/bin/env bash
set -euo pipefail
here=$PWD
cd "$CACHE" # for the files that it leaves
export PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=hooks
venv/bin/st run "$here/../../../openapi.yaml" --url "$MONEYKIT_URL" --seed "${SEED:-1}" --max-examples 60
