#!/usr/bin/env bash
# Looks for known vulnerabilities in code that the manager and the plugin call, and in what they are built with.
#   VULNDB           a database other than https://vuln.go.dev, such as file:///srv/vulndb
#   VULNDB_OPTIONAL  not empty: where no database answers, say so loudly and go on (CI on a machine without a way out)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
database=${VULNDB:-https://vuln.go.dev}

# Only govulncheck's own words count as an answer, not its exit code alone.
out=$(go tool -modfile=hack/tools/go.mod govulncheck -db "$database" ./cmd/... 2>&1) || true
printf '%s\n' "$out"
case $out in
  *'No vulnerabilities found.'*) exit 0 ;;
  *"$database"*'dial tcp'* | *'no such host'* | *'connection refused'* | *'i/o timeout'*)
    echo "NOT CHECKED: the vulnerability database $database does not answer. Nothing is known about vulnerabilities." >&2
    [ -n "${VULNDB_OPTIONAL:-}" ] && exit 0 ;;
esac
exit 1
