#!/usr/bin/env bash
set -euo pipefail
mvn -B -ntp -Dmaven.repo.local="$CACHE/m2" test
