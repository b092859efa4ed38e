#!/usr/bin/env bash
set -euo pipefail
# Debian's gems: what is tested is what its release has, faraday 1.1 in Debian 12.
ruby -e 'require "faraday"; require "marcel"; require "minitest"' 2>/dev/null ||
  { apt-get update -q && apt-get install -qy --no-install-recommends ruby ruby-faraday ruby-marcel ruby-minitest; }
