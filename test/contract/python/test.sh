#!/usr/bin/env bash
set -euo pipefail
TZ=America/New_York PYTHONPATH=generated "$CACHE/venv/bin/python" -m pytest -q -p no:cacheprovider
