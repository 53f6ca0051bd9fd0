//! Every index: over what, of which kind, whether queries may read it, how large it is, and how often it is read.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { indexes as askIndexes, type Index, indexSizes, indexUsages, type Size, type Usage } from '../../api/admin';
import { messageOf } from '../../api/errors';
import { href } from '../../router';
import { schema } from '../../state/server';
import { Sparkline } from '../../ui/Sparkline';
import { count } from '../query/Plan';

/** Between two looks at how often indexes are read. */
const LOOK_EVERY_MS = 5000;

export function IndexTable() {
  const [found, setFound] = useState<Index[]>();
  const [sizes, setSizes] = useState<ReadonlyMap<string, Size>>();
  const [usages, setUsages] = useState<ReadonlyMap<string, Usage>>();
  const [trouble, setTrouble] = useState('');
  useEffect(() => {
    const fail = (error: unknown) => setTrouble(messageOf(error));
    askIndexes().then(setFound, fail);
    // On its own: counting may take a moment, and what there is to see need not wait.
    indexSizes().then(setSizes, fail);
    const look = () => {
      if (!document.hidden) indexUsages().then(setUsages, fail);
    };
    look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
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
                <th scope="col" class="number" title="Operations that read it, on this node since it started">
                  reads
                </th>
                <th scope="col">last hour</th>
              </tr>
            </thead>
            <tbody>
              {sorted.map(index => (
                <Row
                  key={`${index.collection} ${index.name}`}
                  index={index}
                  size={sizes?.get(`${index.collection} ${index.name}`)}
                  usage={usages?.get(`${index.collection} ${index.name}`)}
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

function Row({ index, size, usage }: { index: Index; size?: Size; usage?: Usage }) {
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
      <td class="number" title={usage && lastUse(usage)}>
        {usage && count(Number(usage.operations))}
      </td>
      <td>{usage && <Sparkline counts={usage.perMinute} label={lastHour(usage)} />}</td>
    </tr>
  );
}

const lastUse = ({ lastMicros }: Usage) =>
  lastMicros
    ? `Last read ${new Date(Number(lastMicros) / 1000).toLocaleString()}`
    : 'Not read since this server started';

function lastHour({ perMinute }: Usage): string {
  const reads = perMinute.reduce((sum, count) => sum + count, 0);
  return reads === 0
    ? 'Not read in the last hour'
    : `${count(reads)} ${reads === 1 ? 'read' : 'reads'} in the last hour`;
}
