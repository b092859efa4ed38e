#!/usr/bin/env bash
set -euo pipefail
# Debian's gems: what is tested is what its release has, faraday 1.1 in Debian 12.
ruby -e 'require "faraday"; require "marcel"; require "minitest"' 2>/dev/null ||
  { echo "Ruby or a gem is missing. On Debian: apt-get install ruby ruby-faraday ruby-marcel ruby-minitest" >&2; exit 1; }
