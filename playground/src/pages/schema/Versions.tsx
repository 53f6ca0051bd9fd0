//! Schemas applied so far. Any of them can be put into the editor, where it is compared before it is applied.

import { useEffect, useState } from 'preact/hooks';
import { type PastSchema, schemaHistory } from '../../api/admin';
import { messageOf } from '../../api/errors';
import { applied } from './declared';

export function Versions({ onOpen }: { onOpen(past: PastSchema): void }) {
  const [versions, setVersions] = useState<PastSchema[]>();
  const [trouble, setTrouble] = useState('');
  const version = applied.value?.version;
  useEffect(() => {
    schemaHistory().then(setVersions, error => setTrouble(messageOf(error)));
  }, [version]);
  if (trouble) return <p class="note bad-note">{trouble}</p>;
  return (
    <div class="grow scroll" role="region" aria-label="Versions" tabIndex={0}>
      <ul class="entries">
        {versions?.map(past => (
          <li key={past.version}>
            <button type="button" class="open" onClick={() => onOpen(past)}>
              Version {past.version} {past.version === version && <b class="ok">applied</b>}
              <small>{new Date(Number(past.appliedMicros) / 1000).toLocaleString()}</small>
            </button>
          </li>
        ))}
      </ul>
      {versions?.length === 0 && <p class="pad muted">No schema was applied yet.</p>}
    </div>
  );
}
