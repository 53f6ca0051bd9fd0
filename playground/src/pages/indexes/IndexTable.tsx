//! Every index: over what, of which kind, whether queries may read it, and how large it is.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { indexes as askIndexes, type Index, indexSizes, type Size } from '../../api/admin';
import { messageOf } from '../../api/errors';
import { href } from '../../router';
import { schema } from '../../state/server';
import { count } from '../query/Plan';

export function IndexTable() {
  const [found, setFound] = useState<Index[]>();
  const [sizes, setSizes] = useState<ReadonlyMap<string, Size>>();
  const [trouble, setTrouble] = useState('');
  useEffect(() => {
    const fail = (error: unknown) => setTrouble(messageOf(error));
    askIndexes().then(setFound, fail);
    // On its own: counting may take a moment, and what there is to see need not wait.
    indexSizes().then(setSizes, fail);
  }, [schema.value]);
  const sorted = useMemo(() => found?.toSorted((a, b) => a.collection.localeCompare(b.collection)), [found]);
  return (
    <>
      <div class="bar">
        <b class="title grow">Indexes</b>
        <a href={href('schema')}>Add one in the schema</a>
      </div>
      {trouble && <p class="note bad-note">{trouble}</p>}
      <div class="grow scroll" role="region" aria-label="Indexes" tabIndex={0}>
        {sorted && sorted.length > 0 && (
          <table class="grid" aria-label="Indexes">
            <thead>
              <tr>
                <th scope="col">collection</th>
                <th scope="col">fields</th>
                <th scope="col">kind</th>
                <th scope="col">state</th>
                <th scope="col" class="number">
                  entries
                </th>
                <th scope="col" class="number">
                  kB of keys
                </th>
              </tr>
            </thead>
            <tbody>
              {sorted.map(index => (
                <Row
                  key={`${index.collection} ${index.name}`}
                  index={index}
                  size={sizes?.get(`${index.collection} ${index.name}`)}
                />
              ))}
            </tbody>
          </table>
        )}
        {sorted?.length === 0 && <p class="pad muted">There is no index yet. Write @index or @unique in the schema.</p>}
      </div>
    </>
  );
}

function Row({ index, size }: { index: Index; size?: Size }) {
  const more = size && !size.whole ? '> ' : '';
  return (
    <tr>
      <td>
        <a href={href('data', index.collection)}>{index.collection}</a>
      </td>
      <td class="mono">{index.fields.join(', ')}</td>
      <td>{index.unique ? 'unique' : index.relation ? 'relation' : 'index'}</td>
      <td>{index.ready ? <span class="ok">● ready</span> : <span class="warn">◌ being built</span>}</td>
      <td class="number">{size && more + count(size.rows)}</td>
      <td class="number">{size && more + (Number(size.keyBytes) / 1000).toFixed(1)}</td>
    </tr>
  );
}
