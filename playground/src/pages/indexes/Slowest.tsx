//! The slowest of what this browser ran.

import { useMemo, useState } from 'preact/hooks';
import { go, href } from '../../router';
import { type Run, runs } from '../../state/history';
import { openTab } from '../../state/tabs';
import { Explained, type Explanation, explanationOf } from './Explained';
import { slowest } from './slow';

export function Slowest() {
  const list = useMemo(() => slowest(runs.value), [runs.value]);
  const [explained, setExplained] = useState<{ id: string; explanation: Explanation }>();
  const explain = async (run: Run) => {
    const explanation = await explanationOf({ query: run.query, variables: run.variables });
    setExplained({ id: run.id, explanation });
  };
  const open = (run: Run) => {
    void openTab({ query: run.query, variables: run.variables });
    go('query');
  };
  return (
    <div class="grow scroll" role="region" aria-label="Slowest operations of this browser" tabIndex={0}>
      <ul class="entries">
        {list.map(({ run, calls }) => (
          <li key={run.id} class="slow">
            <span class="grow">
              {run.name} <small>{calls > 1 ? `${calls} runs` : '1 run'}</small>
            </span>
            <span class="number">{run.millis.toFixed(1)} ms</span>
            <button type="button" class="plain" onClick={() => void explain(run)}>
              Explain
            </button>
            <button type="button" class="ghost" onClick={() => open(run)}>
              Open
            </button>
            {explained?.id === run.id && <Explained explanation={explained.explanation} />}
          </li>
        ))}
      </ul>
      {list.length === 0 && (
        <p class="pad muted">
          Nothing was run in this browser yet. <a href={href('query')}>Run something</a>, then come back.
        </p>
      )}
    </div>
  );
}
