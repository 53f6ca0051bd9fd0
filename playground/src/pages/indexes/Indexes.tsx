//! The Indexes page: every index at the left; at the right what this browser ran, slowest first, with its plan and the
//! index that would help.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { indexes as askIndexes, type Index } from '../../api/admin';
import { messageOf } from '../../api/errors';
import { execute } from '../../api/http';
import { type PlanRow, rowsOf } from '../../plan';
import { go, href } from '../../router';
import { loadHistory, type Run, runs } from '../../state/history';
import { schema } from '../../state/server';
import { openTab } from '../../state/tabs';
import { Split } from '../../ui/Split';
import { missingIndex, suggestDirective } from '../data/suggest-index';
import { PlanTable } from '../query/Plan';
import { slowest } from './slow';

export default function Indexes() {
  const [pane, setPane] = useState('Indexes');
  useEffect(() => void loadHistory(), []);
  return (
    <div class="page">
      <h1 class="unseen">Indexes</h1>
      <Split
        id="indexes"
        shown={pane}
        onShow={setPane}
        panes={[
          { name: 'Indexes', content: <IndexTable /> },
          { name: 'Slow operations', width: 620, content: <Slow /> },
        ]}
      />
    </div>
  );
}

function IndexTable() {
  const [found, setFound] = useState<Index[]>();
  const [trouble, setTrouble] = useState('');
  useEffect(() => {
    askIndexes().then(setFound, error => setTrouble(messageOf(error)));
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
              </tr>
            </thead>
            <tbody>
              {sorted.map(index => (
                <tr key={`${index.collection} ${index.name}`}>
                  <td>
                    <a href={href('data', index.collection)}>{index.collection}</a>
                  </td>
                  <td class="mono">{index.fields.join(', ')}</td>
                  <td>{index.unique ? 'unique' : index.relation ? 'relation' : 'index'}</td>
                  <td>{index.ready ? <span class="ok">● ready</span> : <span class="warn">◌ being built</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {sorted?.length === 0 && <p class="pad muted">There is no index yet. Write @index or @unique in the schema.</p>}
      </div>
    </>
  );
}

interface Explained {
  id: string;
  rows: PlanRow[];
  fault?: string;
}

function Slow() {
  const list = useMemo(() => slowest(runs.value), [runs.value]);
  const [explained, setExplained] = useState<Explained>();
  const explain = async (run: Run) => {
    try {
      const { body } = await execute({ query: run.query, variables: run.variables }, { explain: 'plan' });
      setExplained({ id: run.id, rows: rowsOf(body.extensions?.plan), fault: body.errors?.[0]?.message });
    } catch (error) {
      setExplained({ id: run.id, rows: [], fault: messageOf(error) });
    }
  };
  const open = (run: Run) => {
    void openTab({ query: run.query, variables: run.variables });
    go('query');
  };
  return (
    <>
      <div class="bar">
        <b class="title">Slowest of what this browser ran</b>
      </div>
      <div class="grow scroll" role="region" aria-label="Slow operations" tabIndex={0}>
        <ul class="entries">
          {list.map(({ run, calls }) => (
            <li key={run.id} class="slow">
              <span class="grow">
                {run.name} <small class="muted">{calls > 1 ? `${calls} runs` : '1 run'}</small>
              </span>
              <span class="number">{run.millis.toFixed(1)} ms</span>
              <button type="button" class="plain" onClick={() => void explain(run)}>
                Explain
              </button>
              <button type="button" class="ghost" onClick={() => open(run)}>
                Open
              </button>
              {explained?.id === run.id && <Plan explained={explained} />}
            </li>
          ))}
        </ul>
        {list.length === 0 && (
          <p class="pad muted">
            Nothing was run in this browser yet. <a href={href('query')}>Run something</a>, then come back.
          </p>
        )}
      </div>
    </>
  );
}

function Plan({ explained }: { explained: Explained }) {
  if (explained.fault) return <p class="bad whole">{explained.fault}</p>;
  const warnings = explained.rows.filter(row => row.node.warning);
  return (
    <div class="whole" role="region" aria-label="Plan" tabIndex={0}>
      {warnings.length === 0 && <p class="ok">✓ Indexes serve all of it.</p>}
      <PlanTable rows={explained.rows} />
      {warnings.map(({ node }) => {
        const missing = missingIndex(node.warning ?? '', node.detail);
        return (
          missing && (
            <p key={missing.directive}>
              <button
                type="button"
                class="plain"
                onClick={() => void suggestDirective(missing.type, missing.directive)}
              >
                Write the index into the schema
              </button>{' '}
              <code class="mono">
                {missing.type} {missing.directive}
              </code>
            </p>
          )
        );
      })}
    </div>
  );
}
