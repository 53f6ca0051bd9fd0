//! A file into a collection: which column goes where, what the first records become, progress, and what was refused.

import { useRef, useState } from 'preact/hooks';
import { messageOf } from '../../api/errors';
import type { Collection } from '../../collection';
import { type Rows, readFile } from '../../csv';
import { Dialog } from '../../ui/Dialog';
import { guessMapping, importRows, type Mapping, type Progress, toInput } from './importing';

/** A browser tab holds this much without trouble; the command line takes any size. */
const FILE_BYTES_MAX = 50_000_000;
const PREVIEW = 3;

export function Import({ collection, onClose, onDone }: { collection: Collection; onClose(): void; onDone(): void }) {
  const [file, setFile] = useState<Rows>();
  const [mapping, setMapping] = useState<Mapping>({});
  const [fault, setFault] = useState('');
  const [progress, setProgress] = useState<Progress>();
  const controller = useRef<AbortController | undefined>(undefined);
  const [running, setRunning] = useState(false);

  const choose = async (chosen: File | undefined) => {
    if (!chosen) return;
    setFault('');
    setProgress(undefined);
    setFile(undefined);
    try {
      if (chosen.size > FILE_BYTES_MAX)
        throw new Error('The file has more than 50 MB. Use `vivarium import`, which takes any size.');
      const rows = readFile(await chosen.text());
      setFile(rows);
      setMapping(guessMapping(rows.columns, collection.create));
    } catch (error) {
      setFault(messageOf(error));
    }
  };
  const start = async () => {
    if (!file) return;
    controller.current = new AbortController();
    setRunning(true);
    setFault('');
    try {
      setProgress(await importRows(collection, file.rows, mapping, controller.current.signal, setProgress));
    } catch (error) {
      setFault(`${messageOf(error)} What is counted below is imported.`);
    }
    setRunning(false);
    onDone();
  };
  const preview = file && previewOf(file, mapping, collection);
  return (
    <Dialog
      label={`Import into ${collection.name}`}
      onClose={() => {
        controller.current?.abort();
        onClose();
      }}
    >
      <div class="body" role="region" aria-label="Import" tabIndex={0}>
        <h2>Import into {collection.name}</h2>
        <p>
          <label>
            A CSV file with a header, a JSON array, or a JSON object on each line:{' '}
            <input
              type="file"
              accept=".csv,.json,.jsonl,.ndjson"
              onChange={event => void choose(event.currentTarget.files?.[0])}
            />
          </label>
        </p>
        {fault && (
          <p class="bad" role="alert">
            {fault}
          </p>
        )}
        {file && !progress && (
          <>
            <h3>{file.rows.length.toLocaleString('en')} records. Which column is which field?</h3>
            <ColumnTable file={file} mapping={mapping} collection={collection} onChange={setMapping} />
            <h3>The first records become</h3>
            {preview?.map((one, at) => (
              <pre key={at} class={one.fault ? 'bad' : 'muted'}>
                {one.fault ?? one.text}
              </pre>
            ))}
          </>
        )}
        {progress && file && <Outcome progress={progress} total={file.rows.length} />}
      </div>
      <div class="buttons">
        {running ? (
          <button type="button" class="plain" onClick={() => controller.current?.abort()}>
            Stop after this batch
          </button>
        ) : (
          <button type="button" class="ghost" onClick={onClose}>
            {progress ? 'Close' : 'Discard'}
          </button>
        )}
        {!progress && (
          <button type="button" class="run" disabled={!file || running} onClick={() => void start()}>
            Import
          </button>
        )}
      </div>
    </Dialog>
  );
}

function previewOf(file: Rows, mapping: Mapping, collection: Collection): { text?: string; fault?: string }[] {
  return file.rows.slice(0, PREVIEW).map(row => {
    try {
      return { text: JSON.stringify(toInput(row, mapping, collection.create)) };
    } catch (error) {
      return { fault: messageOf(error) };
    }
  });
}

interface ColumnTableProps {
  file: Rows;
  mapping: Mapping;
  collection: Collection;
  onChange(mapping: Mapping): void;
}

function ColumnTable({ file, mapping, collection, onChange }: ColumnTableProps) {
  return (
    <table class="grid">
      <thead>
        <tr>
          <th scope="col">column</th>
          <th scope="col">first value</th>
          <th scope="col">field</th>
        </tr>
      </thead>
      <tbody>
        {file.columns.map(column => (
          <tr key={column}>
            <td class="mono">{column}</td>
            <td class="mono ellipsis">{String(file.rows.find(row => row[column] !== undefined)?.[column] ?? '')}</td>
            <td>
              <select
                aria-label={`Field for ${column}`}
                value={mapping[column]}
                onChange={event => onChange({ ...mapping, [column]: event.currentTarget.value })}
              >
                <option value="">leave out</option>
                {collection.create.map(input => (
                  <option key={input.name} value={input.name}>
                    {input.name}
                  </option>
                ))}
              </select>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Outcome({ progress, total }: { progress: Progress; total: number }) {
  return (
    <>
      <p role="status">
        <progress max={total} value={progress.done} aria-label="Imported so far" />{' '}
        <b class="ok">{progress.imported.toLocaleString('en')} imported</b> of {total.toLocaleString('en')}
        {progress.rejects.length > 0 && <b class="bad"> · {progress.done - progress.imported} refused</b>}
      </p>
      {progress.rejects.length > 0 && (
        <ul class="errors all" aria-label="Refused">
          {progress.rejects.map(one => (
            <li key={one.record}>
              <b class="mono">record {one.record}</b> <span>{one.reason}</span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
