#!/usr/bin/env bash
set -euo pipefail
command -v npm >/dev/null || { echo "npm is missing. On Debian: apt-get install nodejs npm" >&2; exit 1; }
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --cache "$CACHE/npm"
