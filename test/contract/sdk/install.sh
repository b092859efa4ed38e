#!/usr/bin/env bash
set -euo pipefail
[ -x "$CACHE/venv/bin/pip" ] || python3 -m venv "$CACHE/venv"
pip() { "$CACHE/venv/bin/pip" install --quiet --disable-pip-version-check --cache-dir "$CACHE/pip" --require-hashes "$@"; }
pip -r requirements.txt
pip --no-deps -r "sdk-$SDK.txt"
