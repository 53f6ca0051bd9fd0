//! What came of an operation: as JSON, as a table, as its plan. Errors lead to their place.

import { useEffect, useMemo, useState } from 'preact/hooks';
import type { GraphQLFault } from '../../api/errors';
import { type Reply, type Timing, warningsOf } from '../../api/http';
import { replaceDocument, reveal } from '../../editor/create';
import { resultLanguage } from '../../editor/result';
import { indent, placeOf, type Room } from '../../json';
import { Editor, useEditor } from '../../ui/Editor';
import { columnsOf, Grid } from '../../ui/Grid';
import { named, Tabs } from '../../ui/Tabs';
import { toast } from '../../ui/Toast';
import { listsOf } from './lists';
import { count, PlanView } from './Plan';
import { type Outcome, running } from './run';

/** Of a larger answer the beginning is shown; the whole can be copied and downloaded. */
const SHOWN_BYTES_MAX = 5_000_000;
const BEGINNING: Room = { charsMax: 500_000, stringCharsMax: 1_000 };

const VIEWS = named('Result', 'Table', 'Plan');

interface Props {
  outcome?: Outcome;
  writes: boolean;
  view: string;
  onView(view: string): void;
  explain(measured: boolean): void;
  onPlace(line: number, column: number): void;
}

export function Result({ outcome, writes, view, onView, explain, onPlace }: Props) {
  const editor = useEditor();
  const reply = outcome?.reply;
  const tooLarge = (reply?.bytes ?? 0) > SHOWN_BYTES_MAX;
  const text = useMemo(
    () => (reply ? indent(reply.raw, ['extensions'], tooLarge ? BEGINNING : undefined) : ''),
    [reply],
  );
  const faults = outcome?.plan?.faults ?? reply?.body.errors ?? [];

  useEffect(() => {
    if (editor.current) replaceDocument(editor.current, text);
  }, [text]);
  const showPath = (path: (string | number)[]) => {
    onView('Result');
    const at = placeOf(text, ['data', ...path]);
    if (at === undefined && tooLarge) toast('That is not in the part of the answer that is shown: download the whole.');
    if (at !== undefined) setTimeout(() => editor.current && reveal(editor.current, at));
  };

  return (
    <>
      <div class="bar">
        <Tabs label="Views of the result" tabs={VIEWS} value={view} onChange={onView} />
        <span class="grow" />
        {reply && <Takeaway reply={reply} text={tooLarge ? reply.raw : text} />}
      </div>
      {faults.length > 0 && <Faults faults={faults} onPlace={onPlace} onPath={showPath} />}
      {view !== 'Plan' && <Notes outcome={outcome} />}
      {tooLarge && view !== 'Plan' && (
        <p class="note warn-note">
          The answer has {megabytes(reply?.bytes ?? 0)}:{' '}
          {view === 'Table' ? 'long texts are cut' : 'its beginning is shown, with long texts cut'}, so that this page
          stays quick. Copy and Download take all of it.
        </p>
      )}
      {view === 'Result' && (
        <div class="grow">
          <Editor
            label="Result"
            doc={text}
            language={resultLanguage()}
            readOnly
            view={editor}
            hint="Run the operation: its answer comes here."
          />
        </div>
      )}
      {view === 'Table' && <Table data={reply?.body.data} />}
      {view === 'Plan' && <PlanView outcome={outcome} writes={writes} explain={explain} />}
      <Status outcome={outcome} />
    </>
  );
}

const megabytes = (bytes: number) =>
  bytes < 100_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;

function Takeaway({ reply, text }: { reply: Reply; text: string }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      toast('The result is copied.');
    } catch {
      toast('This browser does not let the page copy. Download it instead.');
    }
  };
  const download = () => {
    const url = URL.createObjectURL(new Blob([reply.raw], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = 'result.json';
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1_000);
  };
  return (
    <>
      <button type="button" class="ghost" onClick={() => void copy()}>
        Copy
      </button>
      <button type="button" class="ghost" onClick={download}>
        Download
      </button>
    </>
  );
}

interface FaultsProps {
  faults: GraphQLFault[];
  onPlace(line: number, column: number): void;
  onPath(path: (string | number)[]): void;
}

function Faults({ faults, onPlace, onPath }: FaultsProps) {
  return (
    <ul class="errors" aria-label="Errors" role="list" tabIndex={0}>
      {faults.map((fault, at) => {
        const place = fault.locations?.[0];
        const path = fault.path;
        return (
          <li key={at}>
            {fault.extensions?.code && <b class="bad mono">{fault.extensions.code}</b>}
            <span>{fault.message}</span>
            {place && (
              <button type="button" class="link" onClick={() => onPlace(place.line, place.column)}>
                line {place.line}, column {place.column}
              </button>
            )}
            {path && path.length > 0 && (
              <button type="button" class="link mono" onClick={() => onPath(path)}>
                {path.join('.')}
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Notes({ outcome }: { outcome?: Outcome }) {
  return (
    <>
      {outcome?.problem && (
        <p class="note bad-note" role="alert">
          {outcome.problem}
        </p>
      )}
      {warningsOf(outcome?.reply?.body.extensions).map(warning => (
        <p key={warning} class="note warn-note">
          <b class="warn">⚠</b> {warning}
        </p>
      ))}
    </>
  );
}

function Table({ data }: { data: unknown }) {
  const lists = useMemo(() => listsOf(data), [data]);
  const [path, setPath] = useState('');
  const list = lists.find(one => one.path === path) ?? lists[0];
  const columns = useMemo(() => columnsOf(list?.rows ?? []), [list]);
  if (!list) return <p class="grow pad muted">There are no records in the result. A table shows lists of records.</p>;
  return (
    <>
      {lists.length > 1 && (
        <div class="bar small">
          <Tabs small label="Lists" tabs={named(...lists.map(one => one.path))} value={list.path} onChange={setPath} />
        </div>
      )}
      <Grid label={list.path} rows={list.rows} columns={columns} />
    </>
  );
}

function Status({ outcome }: { outcome?: Outcome }) {
  const reply = outcome?.reply;
  if (running.value) {
    return (
      <div class="status" role="status">
        running
      </div>
    );
  }
  const { cost } = reply?.body.extensions ?? {};
  const failed = Boolean(reply?.body.errors);
  return (
    <div class="status" role="status">
      {reply && (
        <>
          <b class={failed ? 'bad' : 'ok'}>
            {failed ? '✗ ' : '✓ '}
            {reply.status}
          </b>
          <span>{reply.millis.toFixed(1)} ms</span>
          {reply.timing && <span title={partsOf(reply.timing)}>{reply.timing.total.toFixed(2)} ms server</span>}
          {typeof cost === 'number' && <span>cost {count(cost)}</span>}
          {cost && typeof cost === 'object' && (
            <>
              {cost.reads !== undefined && <span>{count(cost.reads)} reads</span>}
              {cost.estimated !== undefined && <span>cost {count(cost.estimated)}</span>}
            </>
          )}
          <span>{megabytes(reply.bytes)}</span>
          <span class="grow" />
          {reply.version && <span title={timeOf(reply.version)}>version {reply.version}</span>}
        </>
      )}
    </div>
  );
}

/** What the server did in its time. */
const partsOf = ({ known, prepare, snapshot, execute }: Timing) =>
  [
    `${prepare.toFixed(2)} ms to ${known ? 'plan it: its text was known' : 'parse, validate and plan it'}`,
    `${snapshot.toFixed(2)} ms until it could read`,
    `${execute.toFixed(2)} ms to execute it`,
  ].join('\n');

/** A version is the time of its commit, in microseconds. */
const timeOf = (version: string) => `Committed ${new Date(Number(version) / 1000).toLocaleString()}`;
