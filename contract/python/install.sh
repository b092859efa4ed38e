#!/usr/bin/env bash
set -euo pipefail
[ -x "$CACHE/venv/bin/python" ] || python3 -m venv "$CACHE/venv"
"$CACHE/venv/bin/pip" install --quiet --disable-pip-version-check --cache-dir "$CACHE/pip" --require-hashes -r requirements.txt
