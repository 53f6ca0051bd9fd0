//! The operations that took the server the most time since it started. It keeps no values, so a plan of one that takes
//! variables needs some of yours.

import { useEffect, useState } from 'preact/hooks';
import { costliestOperations, type OperationCost } from '../../api/admin';
import { messageOf } from '../../api/errors';
import { go } from '../../router';
import { openTab } from '../../state/tabs';
import { count } from '../query/Plan';
import { millis, nameOf, summary, wanted } from './costly';
import { Explained, type Explanation, explanationOf } from './Explained';

export function Costliest() {
  const [list, setList] = useState<OperationCost[]>();
  const [trouble, setTrouble] = useState('');
  const [explained, setExplained] = useState<{ of: OperationCost; explanation: Explanation }>();
  const load = () => {
    costliestOperations().then(
      found => {
        setList(found);
        setTrouble('');
      },
      error => setTrouble(messageOf(error)),
    );
  };
  useEffect(load, []);
  const explain = async (of: OperationCost) => {
    const fault = obstacle(of);
    const operation = { query: of.document, operationName: of.operationName ?? undefined };
    setExplained({ of, explanation: fault ? { rows: [], fault } : await explanationOf(operation) });
  };
  const open = (of: OperationCost) => {
    void openTab({ query: of.document, variables: '' });
    go('query');
  };
  return (
    <div class="grow scroll" role="region" aria-label="Costliest operations of this server" tabIndex={0}>
      <p class="note">
        <span class="muted grow">
          By the time that all runs took together, on this node since it started. Values in the text are 0 and "" here.
        </span>
        <button type="button" class="plain" onClick={load}>
          Look again
        </button>
      </p>
      {trouble && <p class="note bad-note">{trouble}</p>}
      <ul class="entries">
        {list?.map(cost => (
          <li key={`${cost.operationName} ${cost.document}`} class="slow">
            <span class="grow" title={cost.document}>
              {nameOf(cost)} <small>{summary(cost, count)}</small>
            </span>
            <span class="number">{millis(cost.totalMicros)}</span>
            <button type="button" class="plain" onClick={() => void explain(cost)}>
              Explain
            </button>
            <button type="button" class="ghost" disabled={cost.cut} onClick={() => open(cost)}>
              Open
            </button>
            {explained?.of === cost && <Explained explanation={explained.explanation} />}
          </li>
        ))}
      </ul>
      {list?.length === 0 && <p class="pad muted">This server has executed nothing since it started.</p>}
    </div>
  );
}

/** Why the server cannot tell the plan of an operation as it is listed. */
function obstacle(cost: OperationCost): string | undefined {
  if (cost.cut) return 'It is too long to be kept: only its beginning is here.';
  const missing = wanted(cost);
  return missing.length > 0
    ? `It takes ${missing.join(', ')}. Open it, give it values, and look at its plan there.`
    : undefined;
}
