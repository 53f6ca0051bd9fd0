//! One field of one record, changed in its cell of the grid and saved by itself. What is typed stays until it is saved or
//! discarded, also when its row is out of sight meanwhile.

import { signal } from '@preact/signals';
import { messageOf } from '../../api/errors';
import { ask } from '../../api/http';
import type { Collection, Input } from '../../collection';
import { collections, schema } from '../../state/server';
import { atOnce } from '../../ui/atOnce';
import { type Row, summary } from '../../ui/Grid';
import { renew } from './browse';
import { edits, send } from './edits';
import { selectionOf } from './read';
import { readOrNull, write } from './values';

export interface Draft {
  collection: Collection;
  input: Input;
  /** The record as somebody saw it: a save must find it so. */
  row: Row;
  text: string;
  /** It is being saved: nothing else happens to it until the answer is there. */
  busy: boolean;
  /** Why it was not saved. */
  fault: string;
}

/** The cell that is open. There is one at most. */
export const draft = signal<Draft | undefined>(undefined);

/** Why a field cannot be changed in its cell, as a sentence; nothing where it can. */
export function fixed(collection: Collection, name: string): string | undefined {
  if (!collection.writes.update) return `The API does not allow to change a ${collection.name}.`;
  const field = collection.fields.find(one => one.name === name);
  if (field?.kind === 'reference' || field?.kind === 'many')
    return `${name} is a relation: it is not changed in a cell.`;
  const input = collection.update.find(one => one.name === name);
  if (!input) return `${name} cannot be changed: the database sets it.`;
  return input.list || input.kind === 'value'
    ? `${name} holds more than one value: change it in its record.`
    : undefined;
}

export const isOpen = (collection: Collection, name: string, row: Row): boolean =>
  draft.value !== undefined &&
  draft.value.row.id === row.id &&
  draft.value.input.name === name &&
  draft.value.collection.name === collection.name;

/** Whether its text is another than the value that was seen. */
export const isTouched = ({ text, row, input }: Draft): boolean => text !== write(row[input.name]);

const isPending = (row: Row): boolean => edits.value.some(edit => edit.id === row.id);
const PENDING = 'Commit or discard the other changes of this record first.';

/** Opens a cell. It stands in the page when this returns; otherwise the answer is why it does not, as a sentence. */
export function openCell(collection: Collection, name: string, row: Row): string | undefined {
  const why = fixed(collection, name);
  if (why) return why;
  const other = draft.value;
  if (other && !isOpen(collection, name, row) && (other.busy || isTouched(other)))
    return `${other.input.name} of ${summary(other.row)} is not saved yet: save it (Enter) or discard it (Escape).`;
  if (isPending(row)) return PENDING;
  const input = collection.update.find(one => one.name === name) as Input;
  if (!isOpen(collection, name, row))
    atOnce(() => {
      draft.value = { collection, input, row, text: write(row[name]), busy: false, fault: '' };
    });
  return undefined;
}

/** Takes over what is typed. Only what changes the picture is drawn anew. */
export function type(text: string): void {
  const open = draft.value;
  if (!open || open.busy) return;
  if (open.fault) draft.value = { ...open, text, fault: '' };
  else open.text = text;
}

/** Closes the cell without a change; not while it is being saved. */
export function discard(): void {
  if (!draft.value?.busy) draft.value = undefined;
}

/** The focus leaves a cell: what nobody changed need not stay open. */
export function leave(left: Draft): void {
  const open = draft.value;
  if (open && isOpen(left.collection, left.input.name, left.row) && !isTouched(open) && !open.fault) discard();
}

/**
 * Saves what is typed, when the record is still as it was seen. Answers whether the cell is closed. `closing` is called
 * right before: afterwards the page may be drawn already, and the focus be lost.
 */
export async function save(closing?: () => void): Promise<boolean> {
  const close = () => {
    closing?.();
    draft.value = undefined;
    return true;
  };
  const open = draft.value;
  if (!open || open.busy) return false;
  const { collection, input, row, text } = open;
  if (!isTouched(open)) return close();
  let fault: string;
  let seen = row;
  try {
    if (isPending(row)) throw new Error(PENDING);
    const isNullable = !collection.fields.find(one => one.name === input.name)?.required;
    const data = { [input.name]: readOrNull(input, text, isNullable) };
    draft.value = { ...open, busy: true, fault: '' };
    const { id, _meta } = row;
    const update = { kind: 'update', collection, id, version: _meta.version, before: row, data } as const;
    const answer = await send([update], `${collection.payload} { ${selectionFor(collection)} }`);
    if (!answer.refusal) {
      renew(collection.name, answer.data.e0[collection.payload]);
      return close();
    }
    fault = answer.refusal.message;
    if (answer.refusal.code === 'PRECONDITION_FAILED') {
      seen = await readAgain(collection, row);
      renew(collection.name, seen);
      // It is what was wanted: an earlier save arrived, and its answer did not.
      if (write(seen[input.name]) === text) return close();
      fault = conflict(input, seen);
    }
  } catch (error) {
    fault = messageOf(error);
  }
  draft.value = { ...open, row: seen, busy: false, fault };
  return false;
}

const selectionFor = (collection: Collection): string =>
  schema.value ? selectionOf(schema.value, collection, collections.value) : 'id _meta { version }';

async function readAgain(collection: Collection, row: Row): Promise<Row> {
  if (!collection.single) throw new Error('Somebody changed the record since it was read. Nothing was written.');
  const query = `query ($id: ID!) { record: ${collection.single}(by: { id: $id }) { ${selectionFor(collection)} } }`;
  const { record } = await ask(query, { id: row.id });
  if (!record) throw new Error('Somebody deleted the record since it was read.');
  return record;
}

/** What somebody else made of the record, and what to do: from here on it is known, so a second save may write over it. */
const conflict = (input: Input, row: Row): string =>
  `Somebody changed the record since it was read. Nothing was written. ${input.name} is ${
    write(row[input.name]) || 'empty'
  } now: save again (Enter) to write yours over it, or discard it (Escape) to keep theirs.`;
