//! Before a record goes: what goes with it, and what keeps it from going, by the rules that the schema declares.

import { useEffect, useState } from 'preact/hooks';
import { declaredSchema } from '../../api/admin';
import { messageOf } from '../../api/errors';
import { ask } from '../../api/http';
import type { Collection } from '../../collection';
import { Dialog } from '../../ui/Dialog';
import { type Row, summary } from '../../ui/Grid';
import { put } from './edits';
import { ruleOf } from './rules';

interface Consequence {
  field: string;
  type: string;
  count: number;
  rule: string;
}

export function DeleteDialog({ collection, row, onClose }: { collection: Collection; row: Row; onClose(): void }) {
  const [consequences, setConsequences] = useState<Consequence[]>();
  const [fault, setFault] = useState('');
  useEffect(() => {
    consequencesOf(collection, row.id).then(setConsequences, error => setFault(messageOf(error)));
  }, []);
  const kept = consequences?.filter(one => one.rule === 'RESTRICT' && one.count > 0) ?? [];
  const confirm = () => {
    put({ kind: 'delete', collection, id: row.id, version: row._meta.version, before: row });
    onClose();
  };
  return (
    <Dialog label={`Delete ${collection.name}`} onClose={onClose}>
      <div class="body">
        <h2>Delete {summary(row)}?</h2>
        {fault && <p class="bad">{fault}</p>}
        {!consequences && !fault && <p class="muted">Looking at what is related to it.</p>}
        <ul>
          {consequences?.map(one => (
            <li key={one.field}>
              <span class="field">{one.field}</span>: {one.count} {one.type} <Rule rule={one.rule} count={one.count} />
            </li>
          ))}
        </ul>
        {consequences?.length === 0 && <p>Nothing else is related to it.</p>}
        {kept.length > 0 && <p class="warn">⚠ The database refuses this while they exist.</p>}
      </div>
      <div class="buttons">
        <button type="button" class="ghost" onClick={onClose}>
          Keep it
        </button>
        <button type="button" class="run writes" disabled={!consequences} onClick={confirm}>
          Add to the changes
        </button>
      </div>
    </Dialog>
  );
}

function Rule({ rule, count }: { rule: string; count: number }) {
  if (count === 0) return null;
  if (rule === 'CASCADE') return <b class="bad">are deleted too</b>;
  if (rule === 'SET_NULL') return <span>lose the reference</span>;
  if (rule === 'LINK') return <span>lose the link</span>;
  return <b class="warn">keep it from being deleted</b>;
}

async function consequencesOf(collection: Collection, id: string): Promise<Consequence[]> {
  const many = collection.fields.filter(field => field.kind === 'many');
  if (many.length === 0 || !collection.single) return [];
  const [{ sdl }, data] = await Promise.all([
    declaredSchema(),
    ask(
      `query ($id: ID!) { ${collection.single}(by: { id: $id }) { ${many.map(field => `${field.name} { totalCount }`).join(' ')} } }`,
      { id },
    ),
  ]);
  const record = data[collection.single];
  if (!record) throw new Error('The record is gone already.');
  return many.map(field => ({
    field: field.name,
    type: field.type,
    count: record[field.name].totalCount,
    rule: ruleOf(sdl, collection.name, field.name),
  }));
}
