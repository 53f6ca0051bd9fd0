//! One record: its fields to edit, its JSON, its relations in both directions.

import { useEffect, useState } from 'preact/hooks';
import { messageOf } from '../../api/errors';
import { ask } from '../../api/http';
import type { Collection, Input } from '../../collection';
import { go } from '../../router';
import { collections } from '../../state/server';
import { type Row, summary } from '../../ui/Grid';
import { named, Tabs } from '../../ui/Tabs';
import { toast } from '../../ui/Toast';
import { edits, put } from './edits';
import { filterBack } from './read';
import { choicesOf, isJson, read, write } from './values';

interface Props {
  collection: Collection;
  /** Nothing for a new record. */
  row?: Row;
  onClose(): void;
  onDelete(row: Row): void;
}

export function RecordView({ collection, row, onClose, onDelete }: Props) {
  const [view, setView] = useState('Fields');
  const views = row ? named('Fields', 'Relations', 'JSON') : named('Fields');
  return (
    <>
      <div class="bar">
        <b class="title mono ellipsis">{row ? summary(row) : `New ${collection.name}`}</b>
        <span class="grow" />
        {row && collection.writes.delete && (
          <button type="button" class="ghost" onClick={() => onDelete(row)}>
            Delete
          </button>
        )}
        <button type="button" class="ghost icon" aria-label="Close the record" onClick={onClose}>
          ×
        </button>
      </div>
      <div class="bar small">
        <Tabs small label="Views of the record" tabs={views} value={view} onChange={setView} />
      </div>
      <div class="grow scroll pad" role="region" aria-label="Record" tabIndex={0}>
        {(view === 'Fields' || !row) && (
          <Form key={row?.id ?? 'new'} collection={collection} row={row} onDone={row ? undefined : onClose} />
        )}
        {view === 'Relations' && row && <Relations collection={collection} row={row} />}
        {view === 'JSON' && row && <pre>{JSON.stringify(row, null, 2)}</pre>}
      </div>
    </>
  );
}

interface Cell {
  text: string;
  /** Nothing is given: null when it is changed, the default when it is created. */
  empty: boolean;
}

const cellOf = (value: unknown): Cell => ({ text: write(value), empty: value === null || value === undefined });

function Form({ collection, row, onDone }: { collection: Collection; row?: Row; onDone?(): void }) {
  const inputs = row ? collection.update.filter(one => one.kind !== 'relation') : collection.create;
  const pending = edits.value.find(one => one.id === row?.id);
  const start = () => {
    const data = pending?.kind === 'update' ? { ...row, ...pending.data } : (row ?? {});
    return Object.fromEntries(inputs.map(input => [input.name, cellOf((data as Row)[input.name])]));
  };
  const [cells, setCells] = useState<Record<string, Cell>>(start);
  const [fault, setFault] = useState('');
  useEffect(() => {
    if (!pending) setCells(start());
  }, [row, pending === undefined]);

  const change = (input: Input, cell: Cell) => {
    const next = { ...cells, [input.name]: cell };
    setCells(next);
    setFault('');
    if (!row) return;
    try {
      const data: Record<string, unknown> = {};
      for (const one of inputs) {
        const now = next[one.name] as Cell;
        const was = cellOf(row[one.name]);
        if (now.text !== was.text || now.empty !== was.empty) data[one.name] = now.empty ? null : read(one, now.text);
      }
      if (!put({ kind: 'update', collection, id: row.id, version: row._meta.version, before: row, data }))
        setFault('Commit first: there are 20 changes.');
    } catch (error) {
      setFault(messageOf(error));
    }
  };
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const data: Record<string, unknown> = {};
      for (const one of inputs) {
        const now = cells[one.name] as Cell;
        if (!now.empty) data[one.name] = read(one, now.text);
        else if (one.required) throw new Error(`${one.name} must be given.`);
      }
      if (!put({ kind: 'create', collection, id: `new-${Date.now()}`, data }))
        throw new Error('Commit first: there are 20 changes.');
      onDone?.();
    } catch (error) {
      setFault(messageOf(error));
    }
  };
  if (inputs.length === 0)
    return <p class="muted">The API does not allow to {row ? 'change' : 'create'} these records.</p>;
  return (
    <form class="form" onSubmit={add}>
      {row && (
        <p class="mono muted">
          id {row.id} · version {row._meta?.version}
        </p>
      )}
      {inputs.map(input => (
        <FieldInput
          key={input.name}
          input={input}
          cell={cells[input.name] as Cell}
          isNew={!row}
          nullable={!collection.fields.find(one => one.name === input.name)?.required}
          onChange={cell => change(input, cell)}
        />
      ))}
      {fault && (
        <p class="bad" role="alert">
          {fault}
        </p>
      )}
      {!row && (
        <button type="submit" class="run">
          Add to the changes
        </button>
      )}
    </form>
  );
}

interface FieldInputProps {
  input: Input;
  cell: Cell;
  isNew: boolean;
  nullable: boolean;
  onChange(cell: Cell): void;
}

/** How a relation is written: by the key that its collection declares. */
function linkHint({ keys, many }: Input): string {
  const key = keys.find(one => one.kind === 'scalar' && one.name !== 'id')?.name ?? 'id';
  return many ? `{ "connect": [{ "${key}": … }] }` : `{ "connect": { "${key}": … } }`;
}

function FieldInput({ input, cell, isNew, nullable, onChange }: FieldInputProps) {
  const id = `field-${input.name}`;
  const hint = isNew ? (input.required ? 'required' : 'default') : 'null';
  const set = (text: string) => onChange({ text, empty: false });
  const shared = { id, class: 'grow mono', value: cell.text, placeholder: hint };
  const choices = choicesOf(input);
  return (
    <div class="form-row">
      <label htmlFor={id}>
        <span class="field">{input.name}</span>{' '}
        <small class="type">
          {input.list ? `[${input.type}]` : input.type}
          {input.required ? '!' : ''}
        </small>
      </label>
      {choices.length > 0 ? (
        <select
          id={id}
          class="grow"
          value={cell.empty ? '' : cell.text}
          onChange={event =>
            event.currentTarget.value ? set(event.currentTarget.value) : onChange({ text: '', empty: true })
          }
        >
          <option value="">{hint}</option>
          {choices.map(value => (
            <option key={value} value={value}>
              {value}
            </option>
          ))}
        </select>
      ) : isJson(input) ? (
        <textarea
          {...shared}
          rows={2}
          placeholder={input.kind === 'relation' ? `${linkHint(input)}, ${hint}` : hint}
          onInput={event => set(event.currentTarget.value)}
        />
      ) : (
        <input {...shared} onInput={event => set(event.currentTarget.value)} />
      )}
      <button
        type="button"
        class="ghost"
        aria-label={isNew ? `Clear ${input.name}` : `Set ${input.name} to null`}
        disabled={cell.empty || (!isNew && !nullable)}
        onClick={() => onChange({ text: '', empty: true })}
      >
        {isNew ? 'clear' : 'null'}
      </button>
    </div>
  );
}

const SHOWN = 20;

function Relations({ collection, row }: { collection: Collection; row: Row }) {
  const [data, setData] = useState<Row>();
  const [fault, setFault] = useState('');
  const relations = collection.fields.filter(field => field.kind === 'many' || field.kind === 'reference');
  useEffect(() => {
    if (!collection.single || relations.length === 0) return;
    const name = (type: string) =>
      collections.value
        .find(one => one.name === type)
        ?.fields.find(field => field.name === 'name' || field.name === 'title')?.name ?? '';
    const fields = relations.map(field =>
      field.kind === 'many'
        ? `${field.name}(first: ${SHOWN}) { totalCount nodes { id ${name(field.type)} } }`
        : `${field.name} { id ${name(field.type)} }`,
    );
    ask(`query ($id: ID!) { ${collection.single}(by: { id: $id }) { ${fields.join(' ')} } }`, { id: row.id }).then(
      found => setData(found[collection.single as string]),
      error => setFault(messageOf(error)),
    );
  }, [row.id]);
  if (relations.length === 0) return <p class="muted">{collection.name} has no relations.</p>;
  if (fault) return <p class="bad">{fault}</p>;
  const open = (type: string, filter: string | undefined) => {
    if (filter) go('data', type, { where: filter });
    else toast(`No single field of ${type} leads back here: filter by hand.`);
  };
  const one = (id: string) => `{ id: { eq: ${JSON.stringify(id)} } }`;
  return (
    <>
      {relations.map(field => {
        const value = data?.[field.name];
        const records: Row[] = field.kind === 'many' ? (value?.nodes ?? []) : value ? [value] : [];
        const target = collections.value.find(each => each.name === field.type);
        return (
          <section key={field.name}>
            <h3>
              <span class="field">{field.name}</span> → {field.type}{' '}
              {field.kind === 'many' && value && (
                <button
                  type="button"
                  class="link"
                  onClick={() => open(field.type, target && filterBack(target, collection.name, row.id))}
                >
                  all {value.totalCount}
                </button>
              )}
            </h3>
            <ul class="entries">
              {records.map(record => (
                <li key={record.id}>
                  <button type="button" class="open" onClick={() => open(field.type, one(record.id))}>
                    {summary(record)}
                  </button>
                </li>
              ))}
            </ul>
            {data && records.length === 0 && <p class="muted">none</p>}
          </section>
        );
      })}
    </>
  );
}
