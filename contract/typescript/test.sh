#!/usr/bin/env bash
set -euo pipefail
npx tsc
node --test --test-reporter=tap generated/js/contract.test.js
