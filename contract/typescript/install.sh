#!/usr/bin/env bash
set -euo pipefail
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --cache "$CACHE/npm"
