//! The slowest operations of a history, each once.

import type { Run } from '../../state/history';

const SHOWN_MAX = 30;

export interface SlowRun {
  /** Its slowest run. */
  run: Run;
  calls: number;
}

/** Operations that succeeded, slowest first; the same text counts as one. */
export function slowest(runs: readonly Run[]): SlowRun[] {
  const found = new Map<string, SlowRun>();
  for (const run of runs) {
    if (!run.ok) continue;
    const before = found.get(run.query);
    const slower = before && before.run.millis >= run.millis ? before.run : run;
    found.set(run.query, { run: slower, calls: (before?.calls ?? 0) + 1 });
  }
  return [...found.values()].sort((a, b) => b.run.millis - a.run.millis).slice(0, SHOWN_MAX);
}
