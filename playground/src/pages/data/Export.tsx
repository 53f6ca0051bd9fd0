//! A collection, or what a filter leaves of it, into a file: page by page, with progress.

import { useRef, useState } from 'preact/hooks';
import { messageOf } from '../../api/errors';
import { ask } from '../../api/http';
import type { Collection } from '../../collection';
import { toCsv } from '../../csv';
import { collections, schema } from '../../state/server';
import { Dialog } from '../../ui/Dialog';
import type { Row } from '../../ui/Grid';
import type { View } from './browse';
import { pageQuery, selectionOf } from './read';

const PAGE = 500;
/** A browser tab holds this much without trouble; the command line takes any size. */
const BYTES_MAX = 100_000_000;

export function Export({ view, collection, onClose }: { view: View; collection: Collection; onClose(): void }) {
  const [format, setFormat] = useState<'jsonl' | 'csv'>('jsonl');
  const [count, setCount] = useState<number>();
  const [fault, setFault] = useState('');
  const stopped = useRef(false);
  const run = async () => {
    setFault('');
    setCount(0);
    stopped.current = false;
    try {
      const parts = await read(view, collection, format, setCount, () => stopped.current);
      if (!stopped.current) download(parts, `${collection.plural}.${format}`);
    } catch (error) {
      setFault(messageOf(error));
    }
  };
  return (
    <Dialog
      label={`Export ${collection.name}`}
      onClose={() => {
        stopped.current = true;
        onClose();
      }}
    >
      <div class="body">
        <h2>Export {collection.plural}</h2>
        <p>{view.filter ? `What the filter ${view.filter} leaves.` : 'All records.'}</p>
        <p>
          <label>
            Format{' '}
            <select value={format} onChange={event => setFormat(event.currentTarget.value as 'jsonl' | 'csv')}>
              <option value="jsonl">JSON, one record on a line</option>
              <option value="csv">CSV</option>
            </select>
          </label>
        </p>
        <p role="status">{count === undefined ? '' : `${count.toLocaleString('en')} records`}</p>
        {fault && (
          <p class="bad" role="alert">
            {fault}
          </p>
        )}
      </div>
      <div class="buttons">
        <button type="button" class="ghost" onClick={onClose}>
          Close
        </button>
        <button type="button" class="run" onClick={() => void run()}>
          Export
        </button>
      </div>
    </Dialog>
  );
}

async function read(
  view: View,
  collection: Collection,
  format: 'jsonl' | 'csv',
  report: (count: number) => void,
  stopped: () => boolean,
): Promise<string[]> {
  if (!schema.value) throw new Error('The schema is being loaded. Try again.');
  // A relation to many is no part of the record: it is written at its other side.
  const own = { ...collection, fields: collection.fields.filter(field => field.kind !== 'many') };
  const query = pageQuery(own, selectionOf(schema.value, own, collections.value), view.filter, view.sort, PAGE);
  const columns = own.fields.map(field => field.name);
  const parts = format === 'csv' ? [`${columns.join(',')}\r\n`] : [];
  let after: string | null = null;
  let count = 0;
  let bytes = 0;
  do {
    const data: Record<string, { nodes: Row[]; pageInfo: { hasNextPage: boolean; endCursor: string } }> = await ask(
      query,
      { after },
    );
    const page = data[collection.plural];
    if (!page) break;
    const rows = page.nodes.map(({ _meta, ...row }) => row);
    const text = format === 'csv' ? toCsv(columns, rows) : rows.map(row => `${JSON.stringify(row)}\n`).join('');
    parts.push(text);
    bytes += text.length;
    count += rows.length;
    report(count);
    if (bytes > BYTES_MAX) throw new Error('This is more than 100 MB. Use `vivarium export`, which writes any size.');
    after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  } while (after && !stopped());
  return parts;
}

function download(parts: string[], name: string): void {
  const url = URL.createObjectURL(new Blob(parts));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}
