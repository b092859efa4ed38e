#!/usr/bin/env bash
set -euo pipefail
"$CACHE/venv/bin/python" -m pytest -q -p no:cacheprovider
