#!/usr/bin/env bash
set -euo pipefail
{ command -v mvn && command -v javac; } >/dev/null ||
  { apt-get update -q && apt-get install -qy --no-install-recommends maven default-jdk-headless; }
mvn -q -B -Dmaven.repo.local="$CACHE/m2" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:go-offline
