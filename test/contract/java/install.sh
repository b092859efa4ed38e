#!/usr/bin/env bash
set -euo pipefail
{ command -v mvn && command -v javac; } >/dev/null ||
  { echo "Maven or the JDK is missing. On Debian: apt-get install maven default-jdk-headless" >&2; exit 1; }
mvn -q -B -Dmaven.repo.local="$CACHE/m2" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:go-offline
