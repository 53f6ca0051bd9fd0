//! A table of any rows. Rows have one height, and only those in sight are drawn, so ten thousand cost as much as fifty.
//! Where its cells can be opened it is a grid: one cell is reached by Tab, the others by arrows.

import type { ComponentChildren, TargetedEvent, TargetedKeyboardEvent, TargetedPointerEvent } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

// biome-ignore lint/suspicious/noExplicitAny: a row is what an operation selects.
export type Row = Record<string, any>;

export interface Column {
  name: string;
  /** What stands in its head instead of its name. */
  head?: ComponentChildren;
  number?: boolean;
  /** What stands in its cells. Where these can be opened, Tab passes what leads on from them: Enter on the cell follows it. */
  cell?(row: Row, at: number): ComponentChildren;
  class?: string;
  /** Said of its cells where they can be opened: these cannot be written. */
  readOnly?: boolean;
  sorted?: 'ascending' | 'descending';
}

const ROW_PIXELS = 28;
/** Drawn above and below what is in sight, so that scrolling shows no holes. */
const ROWS_AROUND = 12;

interface Props {
  label: string;
  rows: readonly Row[];
  columns: readonly Column[];
  /** Called when the end comes into sight. */
  onEnd?(): void;
  /** Called when a cell is to be opened, by Enter, F2, a double click, or a tap when it has the focus; Enter follows what
   * leads on from a cell. */
  onOpen?(row: Row, column: Column, cell: HTMLTableCellElement): void;
  rowClass?(row: Row, at: number): string;
}

export function Grid({ label, rows, columns, onEnd, onOpen, rowClass }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  const asked = useRef(0);
  const { stop, handlers } = useCells(rows, columns, onOpen);

  const look = () => {
    const element = box.current;
    if (!element) return;
    setSeen({ top: element.scrollTop, height: element.clientHeight });
    const nearEnd = element.scrollTop + element.clientHeight > element.scrollHeight - 10 * ROW_PIXELS;
    if (nearEnd && onEnd && asked.current !== rows.length) {
      asked.current = rows.length;
      onEnd();
    }
  };
  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    observer.observe(box.current as HTMLDivElement);
    return () => observer.disconnect();
  }, [rows.length, onEnd]);

  const first = Math.max(0, Math.floor(seen.top / ROW_PIXELS) - ROWS_AROUND);
  const end = Math.min(rows.length, Math.ceil((seen.top + seen.height) / ROW_PIXELS) + ROWS_AROUND);
  // Tab finds a cell also when the one that it left is not drawn any more.
  const stopRow = stop.row >= first && stop.row < end ? stop.row : Math.ceil(seen.top / ROW_PIXELS);
  return (
    <div ref={box} class="grow gridbox" role="region" aria-label={label} tabIndex={0} onScroll={look}>
      <table class="grid" aria-label={label} aria-rowcount={rows.length + 1} {...(onOpen && handlers)}>
        <thead>
          <tr>
            {columns.map(column => (
              <th key={column.name} scope="col" class={column.number ? 'number' : ''} aria-sort={column.sorted}>
                {column.head ?? column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 && <Spacer rows={first} columns={columns.length} />}
          {rows.slice(first, end).map((row, offset) => {
            const at = first + offset;
            return (
              <tr key={at} aria-rowindex={at + 2} class={rowClass?.(row, at)}>
                {columns.map((column, place) => (
                  <td
                    key={column.name}
                    class={`${column.number ? 'number' : ''} ${column.class ?? ''}`}
                    {...(onOpen && {
                      role: 'gridcell' as const,
                      'aria-readonly': column.readOnly ? ('true' as const) : undefined,
                      tabIndex: at === stopRow && place === stop.column ? 0 : -1,
                    })}
                  >
                    {column.cell ? column.cell(row, at) : <Value value={row[column.name]} />}
                  </td>
                ))}
              </tr>
            );
          })}
          {end < rows.length && <Spacer rows={rows.length - end} columns={columns.length} />}
        </tbody>
      </table>
    </div>
  );
}

/** What walks through cells and opens them, and the cell that Tab leads to. */
function useCells(rows: Props['rows'], columns: Props['columns'], onOpen: Props['onOpen']) {
  const [stop, setStop] = useState({ row: 0, column: 0 });
  const open = (cell: HTMLTableCellElement) => {
    const place = placeOf(cell);
    const row = rows[place.row];
    const column = columns[place.column];
    if (row && column) onOpen?.(row, column, cell);
  };
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLElement>) => {
    const target = event.target as Element;
    const cell = target.closest('td');
    if (!cell || target.closest('.cell') || event.ctrlKey || event.metaKey || event.altKey) return;
    // What leads on takes Enter itself when it has the focus.
    if (event.key === 'Enter' && target !== cell) return;
    const leads = event.key === 'Enter' ? cell.querySelector<HTMLElement>('a, button') : null;
    const next = neighbour(cell, event.key);
    // A key that is held down does a thing once; arrows go on.
    if (event.repeat && !next) return;
    if (leads) leads.click();
    else if (event.key === 'Enter' || event.key === 'F2') open(cell);
    else if (next instanceof HTMLElement) next.focus();
    else return;
    event.preventDefault();
  };
  const plainCell = (target: Element) => (target.closest('a, button, .cell') ? null : target.closest('td'));
  const onDblClick = (event: TargetedEvent<HTMLElement>) => {
    const cell = plainCell(event.target as Element);
    if (cell) open(cell);
  };
  // A finger has no double click that all browsers know: the first tap chooses the cell, the second one opens it.
  const tapped = useRef<Element | null>(null);
  const onPointerDown = (event: TargetedPointerEvent<HTMLElement>) => {
    const cell = event.pointerType === 'touch' ? plainCell(event.target as Element) : null;
    tapped.current = cell === document.activeElement ? cell : null;
  };
  const onClick = (event: TargetedEvent<HTMLElement>) => {
    const cell = plainCell(event.target as Element);
    if (cell && cell === tapped.current) open(cell);
  };
  const onFocusIn = (event: TargetedEvent<HTMLElement>) => {
    const cell = (event.target as Element).closest('td');
    if (cell) setStop(placeOf(cell));
  };
  return { stop, handlers: { role: 'grid' as const, onKeyDown, onDblClick, onPointerDown, onClick, onFocusIn } };
}

/** The cell that a key leads to. */
function neighbour(cell: HTMLTableCellElement, key: string): Element | null | undefined {
  const row = cell.parentElement as HTMLTableRowElement;
  const within = (other: Element | null) => (other as HTMLTableRowElement | null)?.cells[cell.cellIndex];
  switch (key) {
    case 'ArrowLeft':
      return cell.previousElementSibling;
    case 'ArrowRight':
      return cell.nextElementSibling;
    case 'ArrowUp':
      return within(row.previousElementSibling);
    case 'ArrowDown':
      return within(row.nextElementSibling);
    case 'Home':
      return row.firstElementChild;
    case 'End':
      return row.lastElementChild;
  }
}

/** Where a cell stands among all rows, drawn or not. */
const placeOf = (cell: HTMLTableCellElement) => ({
  row: Number(cell.parentElement?.getAttribute('aria-rowindex')) - 2,
  column: cell.cellIndex,
});

function Spacer({ rows, columns }: { rows: number; columns: number }) {
  return (
    <tr class="spacer" aria-hidden="true">
      <td colSpan={columns} style={{ height: `${rows * ROW_PIXELS}px` }} />
    </tr>
  );
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
const isNumber = (value: unknown) => typeof value === 'number' || (typeof value === 'string' && NUMBER.test(value));

/** More than a cell has room for, and few enough that laying them out takes no time. */
const CELL_CHARS_MAX = 500;
const cut = (text: string) => (text.length > CELL_CHARS_MAX ? `${text.slice(0, CELL_CHARS_MAX)}…` : text);

/** Anything in one line: a to-many relation as its count, an object as its name. What is too long for a cell is cut. */
export function Value({ value }: { value: unknown }) {
  if (value === null || value === undefined) return <span class="muted">null</span>;
  if (typeof value === 'object') return <span class="reference">{summary(value)}</span>;
  return <>{cut(String(value))}</>;
}

export const summary = (value: object): string => cut(nameOf(value));

function nameOf(value: object): string {
  if (Array.isArray(value)) return value.every(one => typeof one !== 'object') ? value.join(', ') : `${value.length} ›`;
  const row = value as Row;
  if (typeof row.totalCount === 'number') return `${row.totalCount} ›`;
  if (Array.isArray(row.nodes)) return `${row.nodes.length} ›`;
  return String(row.name ?? row.title ?? row.id ?? JSON.stringify(value));
}

/** Columns for rows of any selection: numbers stand right. */
export function columnsOf(rows: readonly Row[]): Column[] {
  const names = new Set<string>();
  for (const row of rows.slice(0, 100)) for (const name of Object.keys(row)) names.add(name);
  return [...names].map(name => {
    const filled = rows.find(row => row[name] !== null && row[name] !== undefined);
    return { name, number: filled !== undefined && isNumber(filled[name]), class: name === 'id' ? 'mono' : undefined };
  });
}
