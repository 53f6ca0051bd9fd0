//! The open cell outlives a reload: what is typed and not saved when a page goes, the next page of this browser tab opens
//! again, with the record as it was seen. So a save after it meets what others changed meanwhile, as it would have before.

import { effect } from '@preact/signals';
import { whenLeaving } from '../../state/leaving';
import { collections } from '../../state/server';
import { type Row, summary } from '../../ui/Grid';
import { toast } from '../../ui/Toast';
import { discard, draft, fixed, isTouched } from './draft';

interface Unsaved {
  collection: string;
  field: string;
  row: Row;
  text: string;
}

const KEY = 'data.cell';

let isTakenUp = false;

/** Opens the cell that the page before left, once the collections are known, and looks after the open cell from then on. */
export function takeUp(): void {
  if (isTakenUp) return;
  isTakenUp = true;
  const unsaved = left();
  if (unsaved) openAgain(unsaved);
  effect(() => {
    if (!draft.value) settle();
  });
  whenLeaving(leave);
}

function openAgain({ collection: name, field, row, text }: Unsaved): void {
  const collection = collections.value.find(one => one.name === name);
  const input = collection?.update.find(one => one.name === field);
  if (!collection || !input || fixed(collection, field)) {
    toast(`${field} of ${name} cannot be changed any more. This was typed there and is not saved: ${text}`);
    return;
  }
  draft.value = { collection, input, row, text, busy: false, fault: '' };
  toast(`${field} of ${summary(row)} is not saved yet: its cell is open again.`, {
    name: `Discard ${field}`,
    act: discard,
  });
}

function leave(): void {
  const open = draft.value;
  if (!open) return;
  if (!isTouched(open)) return settle();
  const { collection, input, row, text } = open;
  const unsaved: Unsaved = { collection: collection.name, field: input.name, row, text };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(unsaved));
  } catch {
    // Full, or a browser that keeps nothing.
  }
}

function left(): Unsaved | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

function settle(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // A browser that keeps nothing has nothing to settle.
  }
}
