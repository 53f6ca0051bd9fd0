//! The Query page: operations at the left, what came of them in the middle, the schema at the right.

import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../../api/errors';
import { sampleOf } from '../../collection';
import { offsetOf, replaceDocument, reveal } from '../../editor/create';
import { fill, format } from '../../editor/graphql';
import { href, replace, route } from '../../router';
import { isKey, isWriting, SHORTCUTS } from '../../shortcuts';
import { loadHistory } from '../../state/history';
import { loadSaved, save, saved } from '../../state/saved';
import { collections, isEmpty, schema } from '../../state/server';
import { contentOf, fragmentOf, LINK_CHARACTERS_MAX } from '../../state/share';
import { keepsNothing } from '../../state/store';
import { activeId, activeTab, edit, loadTabs, openTab, replaced, selectTab, tabs, titleOf } from '../../state/tabs';
import { useCommands } from '../../ui/commands';
import { Dialog } from '../../ui/Dialog';
import { useEditor } from '../../ui/Editor';
import { Split } from '../../ui/Split';
import { named, Tabs } from '../../ui/Tabs';
import { toast } from '../../ui/Toast';
import { Docs, type DocsPlace } from './Docs';
import { type Actions, Operation } from './Operation';
import { operationAt } from './operation';
import { Result } from './Result';
import { cancel, explain, outcomes, run } from './run';
import { History, open, SavedOperations } from './Shelf';

const SIDES = named('Docs', 'History', 'Saved');
const NO_FAULTS: never[] = [];

let loaded = false;

export default function Query() {
  const editor = useEditor();
  const cursor = useRef(0);
  const [meant, setMeant] = useState('');
  const [view, setView] = useState('Result');
  const [side, setSide] = useState('Docs');
  const [pane, setPane] = useState('Operation');
  const [docs, setDocs] = useState<DocsPlace>({ type: 'Query' });
  const [naming, setNaming] = useState<string>();
  useKept();

  const tab = activeTab();
  const outcome = tab && outcomes.value.get(tab.id);
  const look = () => setMeant(tab ? operationAt(tab.query, cursor.current).kind : '');
  useEffect(look, [tab?.query, tab?.id]);

  const actions: Actions = {
    run: () => {
      setPane('Result');
      if (view === 'Plan') setView('Result');
      void run(cursor.current);
    },
    format: () => {
      try {
        if (editor.current) replaceDocument(editor.current, format(editor.current.state.doc.toString()));
      } catch (error) {
        toast(`The operation cannot be formatted: ${messageOf(error)}`);
      }
    },
    fill: () => {
      if (!editor.current || fill(editor.current)) return;
      toast(
        schema.value
          ? 'There is nothing to fill at the cursor: it fills the braces that it stands in.'
          : 'The schema is not read yet: try again in a moment.',
      );
    },
    save: () => tab && setNaming(saved.value.find(one => one.id === tab.saved)?.name ?? titleOf(tab.query)),
    share: () => void share(),
  };
  const showPlan = (measured: boolean) => void explain(cursor.current, measured);
  const onView = (next: string) => {
    setView(next);
    if (next === 'Plan' && tab?.query.trim() && !outcome?.plan) showPlan(false);
  };
  useKeys(actions, () => setSide('Docs'));
  useQueryCommands(actions);

  if (!tab) return <p class="pad muted">Loading</p>;
  const panes = [
    {
      name: 'Operation',
      content: (
        <>
          {isEmpty.value && <FirstSteps />}
          <Operation
            actions={actions}
            faults={outcome?.plan?.faults ?? outcome?.reply?.body.errors ?? NO_FAULTS}
            writes={meant === 'mutation'}
            onCursor={head => {
              cursor.current = head;
              look();
            }}
            view={editor}
            onDocs={(type, field) => {
              setSide('Docs');
              if (type) setDocs({ type: type.replace(/[[\]!]/g, ''), field });
            }}
          />
        </>
      ),
    },
    {
      name: 'Result',
      width: 500,
      content: (
        <Result
          key={tab.id}
          outcome={outcome}
          writes={meant === 'mutation'}
          view={view}
          onView={onView}
          explain={showPlan}
          onPlace={(line, column) => {
            setPane('Operation');
            setTimeout(() => editor.current && reveal(editor.current, offsetOf(editor.current, line, column)));
          }}
        />
      ),
    },
    {
      name: 'Schema',
      width: 288,
      class: 'side',
      content: (
        <>
          <div class="bar">
            <Tabs label="Beside the result" tabs={SIDES} value={side} onChange={setSide} />
          </div>
          {side === 'Docs' && <Docs at={docs} go={setDocs} />}
          {side === 'History' && <History />}
          {side === 'Saved' && <SavedOperations />}
        </>
      ),
    },
  ];
  return (
    <div class="page">
      <h1 class="unseen">Query</h1>
      <Split id="query" panes={panes} shown={pane} onShow={setPane} />
      {naming !== undefined && <SaveDialog name={naming} onClose={() => setNaming(undefined)} />}
    </div>
  );
}

/** Reads what the browser keeps, and opens what a link carries: always in a tab of its own. */
function useKept() {
  const at = route.value;
  const link = at.page === 'query' ? at.parameters.get('share') : null;
  useEffect(() => {
    if (loaded) return;
    loaded = true;
    void loadTabs({ query: '', variables: '' }, at.rest || undefined).then(() => {
      if (keepsNothing()) toast('This browser keeps nothing for this page: what you write is lost with the window.');
    });
    void loadHistory();
    void loadSaved();
  }, []);
  const ready = tabs.value.length > 0;
  useEffect(() => {
    if (!ready || !link) return;
    contentOf(link).then(open, error => toast(messageOf(error)));
    replace('query');
  }, [ready, link]);
  useEffect(() => {
    if (ready && !link && at.page === 'query' && at.rest && at.rest !== activeId.value) {
      if (tabs.value.some(one => one.id === at.rest)) selectTab(at.rest);
    }
  }, [at.rest]);
  useEffect(() => {
    if (ready && !link && (at.page === 'query' || at.page === '')) replace('query', activeId.value);
  }, [ready, activeId.value]);
  const first = collections.value[0];
  useEffect(() => {
    // An empty page holds one runnable example.
    const tab = activeTab();
    if (!first || !tab || tabs.value.length !== 1 || tab.query.trim() !== '' || tab.revision > 1) return;
    // Nothing comes between somebody and the text that they begin to write.
    if (document.activeElement?.closest('.cm-editor')) return;
    edit({ query: sampleOf(first) });
    replaced.value += 1;
  }, [first, ready]);
}

async function share() {
  const tab = activeTab();
  if (!tab) return;
  const fragment = await fragmentOf(tab);
  if (fragment.length > LINK_CHARACTERS_MAX)
    return toast('This operation is too long for a link. Send its text instead.');
  const link = `${location.origin}/${fragment}`;
  try {
    await navigator.clipboard.writeText(link);
    toast('The link is copied. It carries the operation and its variables, and no headers.');
  } catch {
    history.replaceState(null, '', fragment);
    toast('The link stands in the address bar: this browser does not let the page copy.');
  }
}

function useKeys(actions: Actions, showDocs: () => void) {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || document.querySelector('dialog[open]')) return;
      if (isKey(event, SHORTCUTS.run.key)) latest.current.run();
      else if (isKey(event, SHORTCUTS.cancel.key)) cancel();
      else if (isKey(event, SHORTCUTS.save.key)) latest.current.save();
      else if (isKey(event, SHORTCUTS.format.key)) latest.current.format();
      else if (isKey(event, SHORTCUTS.fill.key)) latest.current.fill();
      else if (isKey(event, SHORTCUTS.search.key) && !isWriting(event.target)) {
        showDocs();
        setTimeout(() => document.getElementById('docs-search')?.focus());
      } else return;
      event.preventDefault();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
}

function useQueryCommands(actions: Actions) {
  const latest = useRef(actions);
  latest.current = actions;
  useCommands(
    'query',
    [
      { name: 'Run the operation', detail: SHORTCUTS.run.key, act: () => latest.current.run() },
      { name: 'Format the operation', detail: SHORTCUTS.format.key, act: () => latest.current.format() },
      { name: SHORTCUTS.fill.name, detail: SHORTCUTS.fill.key, act: () => latest.current.fill() },
      { name: 'Save the operation', detail: SHORTCUTS.save.key, act: () => latest.current.save() },
      { name: 'Copy a link to the operation', detail: 'command', act: () => latest.current.share() },
      { name: 'New tab', detail: 'command', act: () => void openTab({ query: '', variables: '' }) },
      ...tabs.value.map(tab => ({ name: titleOf(tab.query), detail: 'open tab', act: () => selectTab(tab.id) })),
      ...saved.value.map(one => ({ name: one.name, detail: 'saved', act: () => open({ ...one, saved: one.id }) })),
    ],
    [tabs.value, saved.value],
  );
}

function SaveDialog({ name, onClose }: { name: string; onClose(): void }) {
  const [text, setText] = useState(name);
  const tab = activeTab();
  const present = saved.value.find(one => one.name === text.trim());
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (!tab || !text.trim()) return;
    const entry = await save({ name: text.trim(), query: tab.query, variables: tab.variables }, present?.id);
    edit({ saved: entry.id });
    onClose();
    toast(`Saved as "${entry.name}".`);
  };
  return (
    <Dialog label="Save the operation" onClose={onClose}>
      <form onSubmit={event => void submit(event)}>
        <div class="body">
          <label>
            Name <input class="wide" value={text} onInput={event => setText(event.currentTarget.value)} />
          </label>
          {present && present.id !== tab?.saved && <p class="warn">⚠ This replaces the operation of that name.</p>}
        </div>
        <div class="buttons">
          <button type="button" class="ghost" onClick={onClose}>
            Discard
          </button>
          <button type="submit" class="run" disabled={!text.trim()}>
            {present ? 'Replace' : 'Save'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function FirstSteps() {
  return (
    <p class="note">
      This database declares no collection yet. <a href={href('schema')}>Declare the first one</a>: a schema to start
      from stands there.
    </p>
  );
}
