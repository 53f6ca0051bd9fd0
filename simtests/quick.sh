#!/usr/bin/env bash
# The simulation quick set: what CI runs. Short runs of each profile, and 24 seeds of the swarm at full length, 12 of
# them always the same and 12 that the commit decides. A run that fails leaves its plan and a page in sim-failures/.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg madsim" CARGO_TARGET_DIR="${SIM_TARGET_DIR:-target-sim}"
cargo build --quiet --locked --profile sim -p vivarium-simtests
cargo test --quiet --locked --profile sim -p vivarium-consensus --lib transport
sim="$CARGO_TARGET_DIR/sim/vivarium-sim"
commit=$(git rev-parse --short=7 HEAD 2>/dev/null || echo 1)

"$sim" regress simtests/regress
"$sim" determinism --seeds 8 --time 20s
"$sim" determinism --seeds 4 --profile mix
"$sim" strace --profile crash --time 3s
"$sim" strace --profile cluster-crash --time 3s
for from in 1 $((16#$commit)); do
  "$sim" run --reports --seeds 12 --from "$from" --images 20 --budget-s 30
  "$sim" run --reports --profile mix --seeds 24 --from "$from" --time 10s --images 50 --budget-s 30
done
for profile in cluster-calm cluster-crash cluster-disk rot partition membership recover cluster; do
  "$sim" run --reports --profile "$profile" --seeds 12 --time 10s --images 20 --budget-s 30
done
"$sim" run --reports --profile cluster --seeds 12 --from $((16#$commit)) --time 10s --images 20 --budget-s 30
for workload in append bank register set index pagination unique relation counter schema; do
  "$sim" run --reports --profile mix --seeds 8 --time 10s --workload "$workload" --images 20 --budget-s 12
done
"$sim" mutants --max-seeds 100
