//! The open cell outlives a reload: what is typed and not saved when a page goes, the next page of this browser tab opens
//! again, with the record as it was seen. So a save after it meets what others changed meanwhile, as it would have before.

import { effect } from '@preact/signals';
import { Leavings, whenLeaving } from '../../state/leaving';
import { collections } from '../../state/server';
import type { Stored } from '../../state/store';
import { type Row, summary } from '../../ui/Grid';
import { toast } from '../../ui/Toast';
import { discard, draft, fixed, isTouched } from './draft';

interface Unsaved extends Stored {
  collection: string;
  field: string;
  row: Row;
  text: string;
}

/** There is at most one open cell. */
const CELL = 'open';
const leavings = new Leavings<Unsaved>('sessionStorage', 'cells');

let isTakenUp = false;

/** Opens the cell that the page before left, once the collections are known, and looks after the open cell from then on. */
export function takeUp(): void {
  if (isTakenUp) return;
  isTakenUp = true;
  const unsaved = leavings.left()[0];
  if (unsaved) openAgain(unsaved);
  effect(() => {
    if (!draft.value) leavings.settle(CELL);
  });
  whenLeaving(leaveOpen);
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

function leaveOpen(): void {
  const open = draft.value;
  if (!open) return;
  if (!isTouched(open)) return leavings.settle(CELL);
  const { collection, input, row, text } = open;
  leavings.leave({ id: CELL, collection: collection.name, field: input.name, row, text });
}
