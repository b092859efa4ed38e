#!/usr/bin/env bash
set -euo pipefail
GOWORK=off go test -count=1 -v .
