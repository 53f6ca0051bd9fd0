//! The pane that operations are written in: tabs, the editor, variables, headers, a snippet.

import type { EditorState } from '@codemirror/state';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { GraphQLFault } from '../../api/errors';
import type { Fault } from '../../editor/create';
import { operationLanguage, useSchema } from '../../editor/graphql';
import { useVariables, variablesLanguage, variablesOf } from '../../editor/variables';
import { SHORTCUTS, shown } from '../../shortcuts';
import { schema } from '../../state/server';
import { keepMeasure, measure } from '../../state/settings';
import {
  activeId,
  activeTab,
  closeTab,
  edit,
  openTab,
  replaced,
  selectTab,
  type Tab,
  tabs,
  titleOf,
} from '../../state/tabs';
import { Editor, type EditorRef, useEditor } from '../../ui/Editor';
import { Splitter } from '../../ui/Split';
import { Tabs } from '../../ui/Tabs';
import { toast } from '../../ui/Toast';
import { headersOf, keepHeaders, parseHeaders } from './headers';
import { cancel, forget, running } from './run';
import { curl } from './snippet';

/** The states of editors of tabs that are not shown: cursor and scroll outlive a look at another tab. */
const states = new Map<string, EditorState>();

const LOW_PIXELS = 168;
const LOW_PIXELS_MIN = 31;
const OPTIONS = ['Variables', 'Headers', 'curl'];

export interface Actions {
  run(): void;
  format(): void;
  fill(): void;
  save(): void;
  share(): void;
}

interface Props {
  actions: Actions;
  faults: GraphQLFault[];
  writes: boolean;
  onCursor(head: number): void;
  view: EditorRef;
  onDocs(type?: string, field?: string): void;
}

export function Operation(props: Props) {
  const tab = activeTab();
  const [low, setLow] = useState(() => measure('query.low', LOW_PIXELS));
  if (!tab) return null;
  const resize = (pixels: number) => {
    const next = Math.max(LOW_PIXELS_MIN, low - pixels);
    setLow(next);
    keepMeasure('query.low', next);
  };
  return (
    <>
      <Bar {...props} tab={tab} />
      <div class="grow">
        <OperationEditor key={`${tab.id} ${replaced.value}`} {...props} tab={tab} />
      </div>
      <Splitter row label="Between operation and variables" value={low} onMove={resize} />
      <div class="low" style={{ height: `min(${low}px, 70%)` }}>
        <Options key={`${tab.id} ${replaced.value}`} tab={tab} run={props.actions.run} />
      </div>
    </>
  );
}

function close(tab: Tab): void {
  states.delete(tab.id);
  forget(tab.id);
  void closeTab(tab.id).then(closed => {
    if (closed?.query.trim())
      toast(`${titleOf(closed.query)} is closed.`, { name: 'Undo', act: () => void openTab(closed) });
  });
}

function Bar({ tab, actions, writes }: Props & { tab: Tab }) {
  const items = tabs.value.map(one => ({ id: one.id, name: titleOf(one.query) }));
  return (
    <div class="bar operations">
      <Tabs
        label="Open operations"
        tabs={items}
        value={activeId.value}
        onChange={selectTab}
        onClose={() => close(tab)}
      />
      <button type="button" class="ghost icon" aria-label={`Close ${titleOf(tab.query)}`} onClick={() => close(tab)}>
        ×
      </button>
      <button
        type="button"
        class="ghost icon"
        aria-label="New tab"
        onClick={() => void openTab({ query: '', variables: '' })}
      >
        +
      </button>
      <span class="grow" />
      <button type="button" class="ghost optional" onClick={actions.format}>
        Format
      </button>
      <button type="button" class="ghost" onClick={actions.save}>
        Save
      </button>
      <button type="button" class="ghost" onClick={actions.share}>
        Share
      </button>
      {running.value ? (
        <button type="button" class="run stop" onClick={cancel}>
          Cancel <kbd class="optional">{shown(SHORTCUTS.cancel.key)}</kbd>
        </button>
      ) : (
        <button type="button" class={writes ? 'run writes' : 'run'} onClick={actions.run}>
          {writes ? 'Run mutation' : 'Run'} <kbd class="optional">{shown(SHORTCUTS.run.key)}</kbd>
        </button>
      )}
    </div>
  );
}

function OperationEditor({ tab, actions, faults, onCursor, view, onDocs }: Props & { tab: Tab }) {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    if (view.current && schema.value) useSchema(view.current, schema.value);
  }, [schema.value]);
  const places = useMemo<Fault[]>(
    () => faults.flatMap(fault => (fault.locations ?? []).map(place => ({ ...place, message: fault.message }))),
    [faults],
  );
  const key = (name: 'run' | 'format' | 'fill' | 'save') => ({
    key: SHORTCUTS[name].key,
    run: () => {
      latest.current[name]();
      return true;
    },
  });
  return (
    <Editor
      label="Operation"
      doc={tab.query}
      state={states.get(tab.id)}
      language={operationLanguage({ schema: schema.value, onDocs })}
      keys={[
        key('run'),
        key('format'),
        key('fill'),
        key('save'),
        {
          key: SHORTCUTS.cancel.key,
          run: () => {
            cancel();
            return true;
          },
        },
      ]}
      onChange={query => edit({ query })}
      onCursor={onCursor}
      view={view}
      faults={places}
      onGone={gone => {
        if (tabs.value.some(one => one.id === tab.id)) states.set(tab.id, gone.state);
      }}
    />
  );
}

function Options({ tab, run }: { tab: Tab; run(): void }) {
  const [option, setOption] = useState('Variables');
  const wanted = useMemo(() => variablesOf(schema.value, tab.query), [schema.value, tab.query]);
  const missing = option === 'Variables' || !wanted || wanted.size === 0 || tab.variables.trim() !== '' ? '' : ' •';
  return (
    <>
      <div class="bar small">
        <Tabs
          small
          label="Parts of the request"
          tabs={OPTIONS.map(id => ({ id, name: id === 'Variables' ? `${id}${missing}` : id }))}
          value={option}
          onChange={setOption}
        />
        {wanted && wanted.size > 0 && (
          <span class="muted mono optional">{[...wanted.keys()].map(name => `$${name}`).join(' ')}</span>
        )}
      </div>
      <div class="grow scroll">
        {option === 'Variables' && <VariablesEditor tab={tab} wanted={wanted} run={run} />}
        {option === 'Headers' && <HeadersEditor tab={tab} />}
        {option === 'curl' && (
          <pre class="pad" tabIndex={0} aria-label="The request for a shell">
            {curl(
              new URL('/graphql', location.href).href,
              tab.query,
              tab.variables,
              parseHeaders(headersOf(tab.id)).headers,
            )}
          </pre>
        )}
      </div>
    </>
  );
}

interface VariablesProps {
  tab: Tab;
  wanted: ReturnType<typeof variablesOf>;
  run(): void;
}

function VariablesEditor({ tab, wanted, run }: VariablesProps) {
  const view = useEditor();
  const latest = useRef(run);
  latest.current = run;
  // While the operation does not parse, what was known of its variables stays.
  useEffect(() => {
    if (view.current && wanted) useVariables(view.current, wanted);
  }, [wanted]);
  return (
    <Editor
      label="Variables"
      doc={tab.variables}
      language={variablesLanguage()}
      keys={[
        {
          key: SHORTCUTS.run.key,
          run: () => {
            latest.current();
            return true;
          },
        },
      ]}
      onChange={variables => edit({ variables })}
      view={view}
    />
  );
}

function HeadersEditor({ tab }: { tab: Tab }) {
  const [text, setText] = useState(() => headersOf(tab.id));
  const { fault } = parseHeaders(text);
  return (
    <div class="pad">
      <textarea
        class="mono wide"
        aria-label="Headers, one on a line"
        rows={4}
        placeholder="Idempotency-Key: order-4711"
        value={text}
        onInput={event => {
          setText(event.currentTarget.value);
          keepHeaders(tab.id, event.currentTarget.value);
        }}
      />
      <p class={fault ? 'bad' : 'muted'}>
        {fault ?? 'Kept until this browser tab is closed, and never part of a link.'}
      </p>
    </div>
  );
}
