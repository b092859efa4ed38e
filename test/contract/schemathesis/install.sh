#!/usr/bin/env bash
set -euo pipefail
python3 -c 'import ensurepip' 2>/dev/null || { echo "Python's venv is missing. On Debian: apt-get install python3-venv" >&2; exit 1; }
[ -x "$CACHE/venv/bin/pip" ] || python3 -m venv "$CACHE/venv"
"$CACHE/venv/bin/pip" install --quiet --disable-pip-version-check --cache-dir "$CACHE/pip" --require-hashes -r requirements.txt
