#!/usr/bin/env bash
# The playground: types, lints, unit tests; that dist/ is what the sources build; and every flow in a real browser against
# the real server. Needs Node 20 and npm; without Chromium the browser tests are skipped, and it says so.
set -euo pipefail
cd "$(dirname "$0")"

npm ci --silent --no-audit --no-fund --ignore-scripts
npm run --silent check
npm run --silent unit
npm run --silent build
git diff --exit-code --stat -- dist || { echo "dist/ is not what the sources build: run make playground" >&2; exit 1; }
test -z "$(git status --porcelain -- dist)" || { echo "dist/ has files that are not committed: run make playground" >&2; exit 1; }
cargo build --quiet --locked --package vivarium-server
VIVARIUM_BINARY="${CARGO_TARGET_DIR:-$PWD/../target}/debug/vivarium" npm run --silent e2e
