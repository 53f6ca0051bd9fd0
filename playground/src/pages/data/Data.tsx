//! The Data page: collections at the left, a grid with filter and order in the middle, one record at the right.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { indexes as askIndexes, type Index } from '../../api/admin';
import { messageOf } from '../../api/errors';
import type { Collection } from '../../collection';
import { go, href, replace, route } from '../../router';
import { isKey, SHORTCUTS } from '../../shortcuts';
import { collections, health, schema } from '../../state/server';
import { type Column, Grid, type Row, Value } from '../../ui/Grid';
import { Split } from '../../ui/Split';
import { toast } from '../../ui/Toast';
import { again, browse, found, more, reading, served, trouble, type View, waiting } from './browse';
import { CellInput, changeCell } from './Cell';
import { DeleteDialog } from './Delete';
import { draft, fixed, isOpen } from './draft';
import { Export } from './Export';
import { edits } from './edits';
import { Filter } from './Filter';
import { Import } from './Import';
import { commitAndTell, Pending } from './Pending';
import { RecordView } from './Record';
import { filterBack, firstFieldOf, type Sort } from './read';
import { suggestIndex } from './suggest-index';
import { takeUp } from './unsaved';

const sortOf = (text: string | null): Sort | undefined =>
  text ? { field: text.replace(/^-/, ''), descending: text.startsWith('-') } : undefined;

export default function Data() {
  const { rest, parameters } = route.value;
  const collection = collections.value.find(one => one.name === rest) ?? collections.value[0];
  const where = parameters.get('where') ?? '';
  const order = parameters.get('orderBy');
  const sort = useMemo(() => sortOf(order), [order]);
  const [chosen, setChosen] = useState<Row | 'new'>();
  const [dialog, setDialog] = useState<'import' | 'export' | Row>();
  const [indexes, setIndexes] = useState<Index[]>([]);
  const [pane, setPane] = useState('Records');
  const name = collection?.name;

  useEffect(() => {
    if (name && schema.value) void browse({ collection: name, filter: where, sort });
  }, [name, where, order, schema.value]);
  useEffect(() => {
    setChosen(undefined);
  }, [name]);
  useEffect(() => {
    askIndexes().then(setIndexes, () => setIndexes([]));
  }, [schema.value]);
  useEffect(() => {
    if (schema.value) takeUp();
  }, [schema.value]);
  useCommit();

  if (health.value?.schema.version === 0) {
    return (
      <p class="pad">
        There is no collection yet. <a href={href('schema')}>Declare the first one</a>.
      </p>
    );
  }
  if (!collection || !schema.value) return <p class="pad muted">Loading</p>;

  const to = (view: View) =>
    replace('data', view.collection, {
      ...(view.filter.trim() && { where: view.filter.trim() }),
      ...(view.sort && { orderBy: `${view.sort.descending ? '-' : ''}${view.sort.field}` }),
    });
  const view: View = { collection: collection.name, filter: where, sort };
  // Between two collections the rows are still those of the one before.
  const rows = found.value.of === collection.name ? found.value.rows : [];
  const row = chosen === 'new' ? undefined : (rows.find(one => one.id === chosen?.id) ?? chosen);
  const choose = (next: Row | 'new') => {
    setChosen(next);
    setPane('Record');
  };
  const panes = [
    {
      name: 'Collections',
      width: 200,
      class: 'side',
      content: <List chosen={collection.name} onChosen={() => setPane('Records')} />,
    },
    {
      name: 'Records',
      content: (
        <>
          <Bar
            view={view}
            to={to}
            open={setDialog}
            create={collection.writes.create ? () => choose('new') : undefined}
          />
          <Notes view={view} indexes={indexes} to={to} />
          <Nothing view={view} open={setDialog} create={collection.writes.create ? () => choose('new') : undefined} />
          <Grid
            key={`${collection.name} ${where} ${order}`}
            label={collection.name}
            rows={rows}
            columns={columnsOf(collection, indexes, view, to, choose)}
            onEnd={more}
            onOpen={(row, column, cell) => changeCell(collection, column.name, row, cell)}
            rowClass={one =>
              [one.id === row?.id && 'chosen', edits.value.some(edit => edit.id === one.id) && 'edited']
                .filter(Boolean)
                .join(' ')
            }
          />
          <Pending />
          <Status />
        </>
      ),
    },
    ...(chosen
      ? [
          {
            name: 'Record',
            width: 360,
            content: (
              <RecordView
                key={row?.id ?? 'new'}
                collection={collection}
                row={row}
                onClose={() => {
                  setChosen(undefined);
                  setPane('Records');
                }}
                onDelete={setDialog}
              />
            ),
          },
        ]
      : []),
  ];
  return (
    <div class="page">
      <h1 class="unseen">Data</h1>
      <Split key={chosen ? 'three' : 'two'} id="data" panes={panes} shown={pane} onShow={setPane} />
      {dialog === 'import' && <Import collection={collection} onClose={() => setDialog(undefined)} onDone={again} />}
      {dialog === 'export' && <Export view={view} collection={collection} onClose={() => setDialog(undefined)} />}
      {typeof dialog === 'object' && (
        <DeleteDialog collection={collection} row={dialog} onClose={() => setDialog(undefined)} />
      )}
    </div>
  );
}

function useCommit(): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (!isKey(event, SHORTCUTS.commit.key) || document.querySelector('dialog[open]')) return;
      event.preventDefault();
      if (edits.value.length > 0) void commitAndTell();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
}

function List({ chosen, onChosen }: { chosen: string; onChosen(): void }) {
  const open = (name: string) => {
    onChosen();
    if (name !== chosen) go('data', name);
  };
  return (
    <>
      <div class="bar">
        <b class="title">Collections</b>
      </div>
      <div class="grow scroll" role="region" aria-label="Collections" tabIndex={0}>
        <ul class="list">
          {collections.value.map(one => (
            <li key={one.name}>
              <button
                type="button"
                aria-current={one.name === chosen ? 'true' : undefined}
                onClick={() => open(one.name)}
              >
                <span>{one.name}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </>
  );
}

interface BarProps {
  view: View;
  to(view: View): void;
  open(dialog: 'import' | 'export'): void;
  create?(): void;
}

function Bar({ view, to, open, create }: BarProps) {
  const [text, setText] = useState(view.filter);
  useEffect(() => setText(view.filter), [view.filter, view.collection]);
  const collection = collections.value.find(one => one.name === view.collection) as Collection;
  const apply = () => to({ ...view, filter: text });
  return (
    <div class="bar wraps">
      <div class="filter grow">
        {schema.value && (
          <Filter
            key={`${view.collection} ${view.filter}`}
            schema={schema.value}
            plural={collection.plural}
            value={view.filter}
            onChange={setText}
            onApply={apply}
          />
        )}
      </div>
      <button type="button" class="plain" onClick={apply}>
        Filter
      </button>
      {view.filter && (
        <button type="button" class="ghost" onClick={() => to({ ...view, filter: '' })}>
          Clear
        </button>
      )}
      {create && (
        <button type="button" class="ghost" onClick={create}>
          New
        </button>
      )}
      {create && (
        <button type="button" class="ghost" onClick={() => open('import')}>
          Import
        </button>
      )}
      <button type="button" class="ghost" onClick={() => open('export')}>
        Export
      </button>
    </div>
  );
}

function Notes({ view, indexes, to }: { view: View; indexes: Index[]; to(view: View): void }) {
  const { warning } = served.value;
  const field =
    view.sort && !serves(indexes, view.collection, view.sort.field) ? view.sort.field : firstFieldOf(view.filter);
  const suggest =
    field && !['and', 'or', 'not'].includes(field) ? () => void suggestIndex(view.collection, field) : undefined;
  return (
    <>
      {trouble.value && (
        <p class="note bad-note" role="alert">
          {trouble.value}
        </p>
      )}
      {warning && !trouble.value && (
        <p class="note warn-note">
          <span class="grow">
            <b class="warn">⚠ {waiting.value ? 'Not read yet.' : 'This was a scan.'}</b> {warning}
          </span>
          {waiting.value && (
            <button type="button" class="plain" onClick={() => void browse(view, true)}>
              Scan all {Number(health.value?.status.documents ?? 0).toLocaleString('en')} documents at most
            </button>
          )}
          {waiting.value && (
            <button type="button" class="ghost" onClick={() => to({ collection: view.collection, filter: '' })}>
              Do not
            </button>
          )}
          {suggest && (
            <button type="button" class="plain" onClick={suggest}>
              Create index on {field}
            </button>
          )}
        </p>
      )}
    </>
  );
}

/** What to do where there are no records. */
function Nothing({ view, open, create }: Omit<BarProps, 'to'>) {
  const { of, rows, more } = found.value;
  if (of !== view.collection || rows.length > 0 || more || waiting.value || trouble.value) return null;
  if (view.filter) return <p class="note muted">No {view.collection} is found by this filter.</p>;
  return (
    <p class="note">
      <span class="grow">{view.collection} has no records yet.</span>
      {create && (
        <>
          <button type="button" class="plain" onClick={create}>
            Write one
          </button>
          <button type="button" class="plain" onClick={() => open('import')}>
            Import a file
          </button>
        </>
      )}
    </p>
  );
}

/** The index of a collection that begins with a field. */
const serves = (indexes: readonly Index[], collection: string, field: string): Index | undefined =>
  indexes.find(one => one.collection === collection && one.ready && one.fields[0] === field);

const NUMBERS = new Set(['Int', 'Float', 'BigInt', 'Decimal']);

function columnsOf(
  collection: Collection,
  indexes: readonly Index[],
  view: View,
  to: (view: View) => void,
  choose: (row: Row) => void,
): Column[] {
  return collection.fields.map((field, at): Column => {
    const sorted = view.sort?.field === field.name ? (view.sort.descending ? 'descending' : 'ascending') : undefined;
    const index = field.name === 'id' ? { name: 'id' } : serves(indexes, collection.name, field.name);
    const turn = () => {
      if (sorted === 'descending') to({ ...view, sort: undefined });
      else to({ ...view, sort: { field: field.name, descending: sorted === 'ascending' } });
    };
    const head = collection.orders.includes(field.name) ? (
      <button
        type="button"
        class={index ? 'indexed' : ''}
        title={index ? `Ordered by the index ${index.name}` : 'No index serves this order: everything is read'}
        onClick={turn}
      >
        {field.name}
        {sorted && (sorted === 'ascending' ? ' ↑' : ' ↓')}
      </button>
    ) : (
      field.name
    );
    return {
      name: field.name,
      head,
      sorted,
      number: NUMBERS.has(field.type) && !field.list,
      class: field.name === 'id' ? 'mono' : undefined,
      readOnly: fixed(collection, field.name) !== undefined,
      cell: row => {
        if (at === 0) return <RowButton row={row} choose={choose} />;
        return draft.value && isOpen(collection, field.name, row) ? (
          <CellInput open={draft.value} />
        ) : (
          <RelationOrValue collection={collection} field={field} row={row} />
        );
      },
    };
  });
}

function RowButton({ row, choose }: { row: Row; choose(row: Row): void }) {
  return (
    <button type="button" class="link mono" tabIndex={-1} onClick={() => choose(row)}>
      {String(row.id).slice(-10)}
    </button>
  );
}

function RelationOrValue({
  collection,
  field,
  row,
}: {
  collection: Collection;
  field: Collection['fields'][number];
  row: Row;
}) {
  const value = row[field.name];
  if (value && (field.kind === 'reference' || field.kind === 'many')) {
    const target = collections.value.find(one => one.name === field.type);
    const filter =
      field.kind === 'reference'
        ? `{ id: { eq: ${JSON.stringify(value.id)} } }`
        : target && filterBack(target, collection.name, row.id);
    if (target && filter) {
      return (
        <a class="reference" tabIndex={-1} href={href('data', field.type, { where: filter })}>
          <Value value={value} />
        </a>
      );
    }
  }
  return <Value value={value} />;
}

function Status() {
  const [total, setTotal] = useState('');
  const count = found.value.rows.length;
  const { rest, parameters } = route.value;
  useEffect(() => setTotal(''), [rest, parameters.get('where')]);
  const countAll = async () => {
    const collection = collections.value.find(one => one.name === rest) ?? collections.value[0];
    if (!collection) return;
    const { ask } = await import('../../api/http');
    const filter = parameters.get('where');
    try {
      const data = await ask(`{ ${collection.plural}${filter ? `(where: ${filter})` : ''} { totalCount } }`);
      setTotal(Number(data[collection.plural].totalCount).toLocaleString('en'));
    } catch (error) {
      toast(messageOf(error));
    }
  };
  return (
    <div class="status" role="status">
      <span>
        {count} shown{found.value.more ? ', more follow' : ''}
      </span>
      {served.value.index && <span>index {served.value.index}</span>}
      {reading.value && <span>reading</span>}
      {total ? (
        <span>{total} in all</span>
      ) : (
        <button type="button" class="link" onClick={() => void countAll()}>
          count all
        </button>
      )}
      <span class="grow" />
      {found.value.version && <span>version {found.value.version}</span>}
    </div>
  );
}
