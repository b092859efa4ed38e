#!/usr/bin/env bash
set -euo pipefail
ruby -W:no-deprecated -I generated/lib -I . contract_test.rb
