#!/usr/bin/env bash
set -euo pipefail
npx tsc
TZ=America/New_York node --test --test-reporter=tap generated/js/contract.test.js
