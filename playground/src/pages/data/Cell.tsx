//! The input that stands in a cell while it is open, and why it was not saved.

import type { TargetedKeyboardEvent } from 'preact';
import type { Collection } from '../../collection';
import { type Row, summary } from '../../ui/Grid';
import { toast } from '../../ui/Toast';
import { type Draft, discard, draft, leave, openCell, save, type } from './draft';
import { choicesOf } from './values';

type Control = HTMLInputElement | HTMLSelectElement;

/** Opens the cell of a field and puts the cursor into it, or says why not. */
export function changeCell(collection: Collection, name: string, row: Row, cell: HTMLElement): void {
  const why = openCell(collection, name, row);
  if (why) {
    // The cell that waits may be out of sight, or of a record that is gone.
    toast(why, draft.value && { name: `Discard ${draft.value.input.name}`, act: discard });
    return;
  }
  const control = cell.querySelector<Control>('.cell input, .cell select');
  control?.focus();
  if (control instanceof HTMLInputElement) control.select();
}

/** The focus goes from what stands in a cell back to the cell: the arrows go on from there. */
const giveBack = (within: Element): void => {
  const cell = within.closest('td');
  if (cell?.contains(document.activeElement)) cell.focus();
};

const saveFrom = (within: Element): void => void save(() => giveBack(within));

function discardFrom(within: Element): void {
  if (draft.value?.busy) return;
  giveBack(within);
  discard();
}

function onKeyDown(event: TargetedKeyboardEvent<Control>): void {
  const control = event.currentTarget;
  if (event.isComposing || (event.key !== 'Enter' && event.key !== 'Escape')) return;
  event.preventDefault();
  // A key that is held down opened the cell: it does not close it too.
  if (event.repeat) return;
  if (event.key === 'Escape') discardFrom(control);
  else saveFrom(control);
}

const FAULT = 'cell-fault';
const intoSight = (element: HTMLElement | null): void =>
  element?.scrollIntoView({ block: 'nearest', inline: 'nearest' });

export function CellInput({ open }: { open: Draft }) {
  const { collection, input, row, text, busy, fault } = open;
  const isNullable = !collection.fields.find(one => one.name === input.name)?.required;
  const choices = choicesOf(input);
  const shared = {
    'aria-label': `${input.name} of ${summary(row)}`,
    'aria-invalid': fault ? ('true' as const) : undefined,
    'aria-describedby': fault ? FAULT : undefined,
    'aria-busy': busy,
    value: text,
    onKeyDown,
    onBlur: () => leave(open),
  };
  return (
    <div class="cell">
      {choices.length > 0 ? (
        <select {...shared} onChange={event => type(event.currentTarget.value)}>
          {isNullable && <option value="">null</option>}
          {choices.map(value => (
            <option key={value} value={value}>
              {value}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...shared}
          readOnly={busy}
          placeholder={isNullable ? 'null' : undefined}
          onInput={event => type(event.currentTarget.value)}
        />
      )}
      <div class="below">
        {fault && (
          <p id={FAULT} ref={intoSight} class="bad" role="alert">
            {fault}
          </p>
        )}
        <Buttons busy={busy} />
      </div>
    </div>
  );
}

/** What Enter and Escape do, for those who have no such keys: they are in sight where a finger points. */
function Buttons({ busy }: { busy: boolean }) {
  return (
    <div class="buttons" ref={intoSight}>
      <button type="button" class="plain" disabled={busy} onClick={event => discardFrom(event.currentTarget)}>
        Discard
      </button>
      <button type="button" class="run" disabled={busy} onClick={event => saveFrom(event.currentTarget)}>
        Save
      </button>
    </div>
  );
}
