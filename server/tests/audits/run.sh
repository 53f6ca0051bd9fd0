#!/usr/bin/env bash
# The published GraphQL-over-HTTP audits against the real server: all must pass. Then graphql-js has to accept the schemas
# that are generated and the one that the server answers introspection with. Needs Node 20 and npm.
set -euo pipefail
cd "$(dirname "$0")"

npm ci --silent --no-audit --no-fund
cargo build --quiet --locked --package vivarium-server
binary="${CARGO_TARGET_DIR:-../../../target}/debug/vivarium"

folder="$(mktemp -d)"
mkfifo "$folder/said"
golden=../../../schema/tests/golden
"$binary" serve --data "$folder/data" --listen 127.0.0.1:0 --schema "$golden/everything.graphql" > "$folder/said" &
server=$!
trap 'kill "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; rm -rf "$folder"' EXIT

read -r line < "$folder/said" || { echo "the server did not start" >&2; exit 1; }
node audit.mjs "${line##* }/graphql"
node schemas.mjs "${line##* }/graphql" "$golden"/*.api.graphql
