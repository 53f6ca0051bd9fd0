//! What the text would change, each change with what it costs; and the two things to do about it: try, apply.

import { useState } from 'preact/hooks';
import type { Change, Safety } from '../../api/admin';
import { go } from '../../router';
import { SHORTCUTS, shown } from '../../shortcuts';
import { toast } from '../../ui/Toast';
import {
  applied,
  apply,
  base,
  busy,
  changes,
  discard,
  faults,
  isChanged,
  outcome,
  progress,
  rebase,
  tellProgress,
  trouble,
} from './declared';

const MARKS: Record<Safety, { name: string; class: string }> = {
  SAFE: { name: '✓ safe', class: 'ok' },
  NEEDS_BACKFILL: { name: '↻ needs backfill', class: 'warn' },
  BREAKING: { name: '✗ breaking', class: 'bad' },
};

/** Applies, and says what to do next. */
export async function applyAndTell(force: boolean): Promise<void> {
  const first = applied.value?.version === 0;
  if (!(await apply({ dryRun: false, force }))) return;
  const next = first ? { name: 'Add records', act: () => go('data') } : { name: 'Query it', act: () => go('query') };
  toast(`Version ${applied.value?.version} is applied.`, next);
  if (first)
    outcome.value = { good: true, text: 'The API is ready: every collection has queries, filters and mutations now.' };
}

export function Changes({ onFault }: { onFault(line: number, column: number): void }) {
  const [force, setForce] = useState(false);
  const breaking = changes.value.some(change => change.safety === 'BREAKING');
  const blocked = !isChanged() || faults.value.length > 0 || busy.value !== '' || (breaking && !force);
  const moved = applied.value !== undefined && base.value !== applied.value.version;
  return (
    <>
      <div class="grow scroll" role="region" aria-label="Changes" tabIndex={0}>
        {trouble.value && <p class="note bad-note">{trouble.value}</p>}
        {faults.value.length > 0 ? <Faults onFault={onFault} /> : <ChangeList changes={changes.value} />}
        {outcome.value && (
          <p class={outcome.value.good ? 'note' : 'note bad-note'} role="alert">
            <b class={outcome.value.good ? 'ok' : 'bad'}>{outcome.value.good ? '✓' : '✗'}</b>
            <span class="grow">{outcome.value.text}</span>
          </p>
        )}
        {moved && (
          <p class="note warn-note">
            Version {applied.value?.version} was applied since this was written.
            <button type="button" class="plain" onClick={() => void rebase()}>
              Go on from version {applied.value?.version}
            </button>
          </p>
        )}
      </div>
      <div class="bar wraps foot" role="group" aria-label="Apply">
        <Busy />
        <span class="grow" />
        {breaking && (
          <label class="check">
            <input type="checkbox" checked={force} onChange={event => setForce(event.currentTarget.checked)} /> Also
            what breaks
          </label>
        )}
        <button type="button" class="ghost" disabled={!isChanged() || busy.value !== ''} onClick={() => void discard()}>
          Discard
        </button>
        <button type="button" class="plain" disabled={blocked} onClick={() => void apply({ dryRun: true, force })}>
          Dry run
        </button>
        <button
          type="button"
          class={breaking ? 'run writes' : 'run'}
          disabled={blocked}
          onClick={() => void applyAndTell(force)}
        >
          Apply v{(applied.value?.version ?? 0) + 1}{' '}
          {!breaking && <kbd class="optional">{shown(SHORTCUTS.apply.key)}</kbd>}
        </button>
      </div>
    </>
  );
}

/** What is under way, and how far it is. */
function Busy() {
  const done = progress.value;
  // How many there are is not known of a large collection, and a bar without a value moves on its own.
  const known = done?.of.whole ? { max: Math.max(1, done.of.rows), value: Number(done.records) } : {};
  return (
    <div class={busy.value ? 'busy' : ''}>
      {busy.value && <progress aria-label={busy.value} {...known} />}
      <span role="status" class="muted">
        {busy.value}
      </span>
      {done && <span class="muted">{tellProgress(done)}</span>}
    </div>
  );
}

export function ChangeList({ changes: list }: { changes: readonly Change[] }) {
  if (list.length === 0) return <p class="pad muted">Nothing would change.</p>;
  return (
    <ul class="entries" aria-label="Changes">
      {list.map((change, at) => (
        <li key={at} class="change">
          <code>{change.coordinate}</code>
          <span class="grow">{change.description}</span>
          <b class={MARKS[change.safety].class}>{MARKS[change.safety].name}</b>
        </li>
      ))}
    </ul>
  );
}

function Faults({ onFault }: { onFault(line: number, column: number): void }) {
  return (
    <ul class="errors all" aria-label="Errors">
      {faults.value.map((fault, at) => (
        <li key={at}>
          <button type="button" class="link mono" onClick={() => onFault(fault.line, fault.column)}>
            {fault.line}:{fault.column}
          </button>
          <span>{fault.message}</span>
        </li>
      ))}
    </ul>
  );
}
