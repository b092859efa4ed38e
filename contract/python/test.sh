#!/usr/bin/env bash
set -euo pipefail
PYTHONPATH=generated "$CACHE/venv/bin/python" -m pytest -q -p no:cacheprovider
