#!/usr/bin/env bash
set -euo pipefail
GOWORK=off go mod download
