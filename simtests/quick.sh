#!/usr/bin/env bash
# The simulation quick set: what CI runs. For one node seeds 1 to 24 always, and 24 more that the commit decides; for
# clusters 12 and 12.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg madsim" CARGO_TARGET_DIR="${SIM_TARGET_DIR:-target-sim}"
cargo build --quiet --locked --profile sim -p vivarium-simtests
cargo test --quiet --locked --profile sim -p vivarium-consensus --lib transport
sim="$CARGO_TARGET_DIR/sim/vivarium-sim"
commit=$(git rev-parse --short=7 HEAD 2>/dev/null || echo 1)

"$sim" regress simtests/regress
"$sim" determinism --seeds 8
"$sim" determinism --seeds 4 --profile cluster
"$sim" run --seeds 24 --images 50 --budget-s 60
"$sim" run --seeds 24 --from $((16#$commit)) --images 50 --budget-s 60
for profile in cluster-calm cluster-crash partition cluster; do
  "$sim" run --profile "$profile" --seeds 12 --images 20 --budget-s 30
done
"$sim" run --profile cluster --seeds 12 --from $((16#$commit)) --images 20 --budget-s 30
for workload in append bank register set; do
  "$sim" run --seeds 8 --workload "$workload" --images 20 --budget-s 20
done
"$sim" mutants --max-seeds 100
