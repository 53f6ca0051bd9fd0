//! What is changed and not committed: every change as a diff, the mutation that it becomes, and the commit.

import { useState } from 'preact/hooks';
import { messageOf } from '../../api/errors';
import { go } from '../../router';
import { SHORTCUTS, shown } from '../../shortcuts';
import { openTab } from '../../state/tabs';
import { summary } from '../../ui/Grid';
import { toast } from '../../ui/Toast';
import { again } from './browse';
import { commit, drop, type Edit, edits, mutationOf, refused } from './edits';
import { write } from './values';

/** Commits, and says what came of it. */
export async function commitAndTell(): Promise<void> {
  const count = edits.value.length;
  try {
    if (!(await commit())) return;
    toast(count === 1 ? 'The change is committed.' : `${count} changes are committed, in one transaction.`);
    again();
  } catch (error) {
    refused.value = { message: messageOf(error) };
  }
}

export function Pending() {
  const [busy, setBusy] = useState(false);
  const list = edits.value;
  if (list.length === 0) return null;
  const run = async () => {
    setBusy(true);
    await commitAndTell();
    setBusy(false);
  };
  const show = () => {
    const { query, variables } = mutationOf(list);
    void openTab({ query: `${query}\n`, variables: JSON.stringify(variables, null, 2) });
    go('query');
  };
  const reason = refused.value;
  return (
    <section class="pending" aria-label="Changes that are not committed">
      <ul class="entries">
        {list.map((edit, at) => (
          <li key={edit.id}>
            <span class="grow">
              <Diff edit={edit} />
              {reason?.at === at && <Refusal message={reason.message} />}
            </span>
            <button type="button" class="ghost icon" aria-label="Discard this change" onClick={() => drop(edit.id)}>
              ×
            </button>
          </li>
        ))}
      </ul>
      {reason && reason.at === undefined && <Refusal message={reason.message} />}
      {reason?.code === 'PRECONDITION_FAILED' && (
        <p class="note warn-note">
          Somebody changed the record since it was read. Nothing was written.
          <button
            type="button"
            class="plain"
            onClick={() => {
              if (reason.at !== undefined) drop(list[reason.at]?.id);
              again();
            }}
          >
            Take theirs
          </button>
        </p>
      )}
      <div class="bar foot">
        <span class="grow muted">{list.length === 1 ? '1 change' : `${list.length} changes`}, one transaction</span>
        <button type="button" class="ghost optional" onClick={show}>
          Show mutation
        </button>
        <button type="button" class="ghost" onClick={() => drop()}>
          Discard all
        </button>
        <button type="button" class="run" disabled={busy} onClick={() => void run()}>
          Commit <kbd class="optional">{shown(SHORTCUTS.commit.key)}</kbd>
        </button>
      </div>
    </section>
  );
}

function Refusal({ message }: { message: string }) {
  return (
    <p class="bad refusal" role="alert">
      ✗ {message}
    </p>
  );
}

const shownValue = (value: unknown) => (value === null || value === undefined ? 'null' : write(value));

function Diff({ edit }: { edit: Edit }) {
  if (edit.kind === 'delete') {
    return (
      <>
        <b class="bad">delete</b> {edit.collection.name} {summary(edit.before)}
      </>
    );
  }
  if (edit.kind === 'create') {
    return (
      <>
        <b class="ok">create</b> {edit.collection.name} <code class="mono">{JSON.stringify(edit.data)}</code>
      </>
    );
  }
  return (
    <>
      {edit.collection.name} {summary(edit.before)}:{' '}
      {Object.entries(edit.data).map(([name, value]) => (
        <code key={name} class="mono diff">
          <span class="field">{name}</span> <del>{shownValue(edit.before[name])}</del> → <ins>{shownValue(value)}</ins>
        </code>
      ))}
    </>
  );
}
