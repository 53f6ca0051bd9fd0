//! The operations that took the server the most time since it started. It keeps no values, so a plan of one that takes
//! variables needs some of yours.

import { useEffect, useState } from 'preact/hooks';
import { costliestOperations, type OperationCost } from '../../api/admin';
import { messageOf } from '../../api/errors';
import { count } from '../query/Plan';
import { millis, nameOf, summary, wanted } from './costly';
import { type Explanation, explanationOf } from './Explained';
import { type Listed, Operations } from './Operations';

export function Costliest() {
  const [list, setList] = useState<Listed[]>();
  /** Grows with each look: plans of before are no longer shown after it. */
  const [looks, setLooks] = useState(0);
  const [trouble, setTrouble] = useState('');
  const load = () => {
    costliestOperations().then(
      found => {
        setList(found.map(listed));
        setLooks(before => before + 1);
        setTrouble('');
      },
      error => setTrouble(messageOf(error)),
    );
  };
  useEffect(load, []);
  return (
    <div class="grow scroll" role="region" aria-label="Costliest operations of this server" tabIndex={0}>
      <p class="note">
        <span class="muted grow">
          By the time that all runs took together, on this node since it started. The server keeps no values: what you
          open has 0 and "" in their place.
        </span>
        <button type="button" class="plain" onClick={load}>
          Look again
        </button>
      </p>
      {trouble && <p class="note bad-note">{trouble}</p>}
      {list && <Operations key={looks} list={list} />}
      {list?.length === 0 && <p class="pad muted">This server has executed nothing since it started.</p>}
    </div>
  );
}

function listed(cost: OperationCost): Listed {
  const { document, operationName, cut, totalMicros } = cost;
  return {
    id: `${operationName} ${document}`,
    name: nameOf(cost),
    figures: summary(cost, count),
    took: millis(totalMicros),
    text: document,
    explain: () => explained(cost),
    content: cut ? undefined : { query: document, variables: '' },
  };
}

async function explained(cost: OperationCost): Promise<Explanation> {
  const fault = obstacle(cost);
  const { document: query, operationName } = cost;
  return fault ? { rows: [], fault } : explanationOf({ query, operationName: operationName ?? undefined });
}

/** Why the server cannot tell the plan of an operation as it is listed. */
function obstacle(cost: OperationCost): string | undefined {
  if (cost.cut) return 'It is too long to be kept: only its beginning is here.';
  const missing = wanted(cost);
  return missing.length > 0
    ? `It takes ${missing.join(', ')}. Open it, give it values, and look at its plan there.`
    : undefined;
}
