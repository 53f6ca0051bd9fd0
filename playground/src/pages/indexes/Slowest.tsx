//! The slowest of what this browser ran.

import { useMemo } from 'preact/hooks';
import { href } from '../../router';
import { runs } from '../../state/history';
import { explanationOf } from './Explained';
import { type Listed, Operations } from './Operations';
import { type SlowRun, slowest } from './slow';

export function Slowest() {
  const list = useMemo(() => slowest(runs.value).map(listed), [runs.value]);
  return (
    <div class="grow scroll" role="region" aria-label="Slowest operations of this browser" tabIndex={0}>
      <Operations list={list} />
      {list.length === 0 && (
        <p class="pad muted">
          Nothing was run in this browser yet. <a href={href('query')}>Run something</a>, then come back.
        </p>
      )}
    </div>
  );
}

function listed({ run: { id, name, query, variables, millis }, calls }: SlowRun): Listed {
  return {
    id,
    name,
    figures: calls > 1 ? `${calls} runs` : '1 run',
    took: `${millis.toFixed(1)} ms`,
    explain: () => explanationOf({ query, variables }),
    content: { query, variables },
  };
}
