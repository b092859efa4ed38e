#!/usr/bin/env bash
set -euo pipefail
python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends python3-venv; }
[ -x "$CACHE/venv/bin/pip" ] || python3 -m venv "$CACHE/venv"
"$CACHE/venv/bin/pip" install --quiet --disable-pip-version-check --cache-dir "$CACHE/pip" --require-hashes -r requirements.txt
