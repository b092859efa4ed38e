#!/usr/bin/env bash
set -euo pipefail
command -v npm >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends nodejs npm; }
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --cache "$CACHE/npm"
