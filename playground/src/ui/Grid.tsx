//! A table of any rows. Rows have one height, and only those in sight are drawn, so ten thousand cost as much as fifty.

import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

// biome-ignore lint/suspicious/noExplicitAny: a row is what an operation selects.
export type Row = Record<string, any>;

export interface Column {
  name: string;
  /** What stands in its head instead of its name. */
  head?: ComponentChildren;
  number?: boolean;
  cell?(row: Row, at: number): ComponentChildren;
  class?: string;
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
  rowClass?(row: Row, at: number): string;
}

export function Grid({ label, rows, columns, onEnd, rowClass }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  const asked = useRef(0);

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
  return (
    <div ref={box} class="grow gridbox" role="region" aria-label={label} tabIndex={0} onScroll={look}>
      <table class="grid" aria-label={label} aria-rowcount={rows.length + 1}>
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
                {columns.map(column => (
                  <td key={column.name} class={`${column.number ? 'number' : ''} ${column.class ?? ''}`}>
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

function Spacer({ rows, columns }: { rows: number; columns: number }) {
  return (
    <tr class="spacer" aria-hidden="true">
      <td colSpan={columns} style={{ height: `${rows * ROW_PIXELS}px` }} />
    </tr>
  );
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
const isNumber = (value: unknown) => typeof value === 'number' || (typeof value === 'string' && NUMBER.test(value));

/** Anything in one line: a to-many relation as its count, an object as its name. */
export function Value({ value }: { value: unknown }) {
  if (value === null || value === undefined) return <span class="muted">null</span>;
  if (typeof value === 'object') return <span class="reference">{summary(value)}</span>;
  return <>{String(value)}</>;
}

export function summary(value: object): string {
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
