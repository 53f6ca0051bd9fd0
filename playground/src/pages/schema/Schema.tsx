//! The Schema page: collections at the left, the text in the middle, what it would change at the right.

import { useEffect, useState } from 'preact/hooks';
import type { PastSchema } from '../../api/admin';
import { compareWith } from '../../editor/compare';
import { type EditorView, offsetOf, replaceDocument, reveal } from '../../editor/create';
import { format } from '../../editor/graphql';
import { sdlLanguage } from '../../editor/sdl';
import { isKey, SHORTCUTS } from '../../shortcuts';
import { collections, health } from '../../state/server';
import { useCommands } from '../../ui/commands';
import { Editor, type EditorRef, useEditor } from '../../ui/Editor';
import { Split } from '../../ui/Split';
import { named, Tabs } from '../../ui/Tabs';
import { toast } from '../../ui/Toast';
import { applyAndTell, Changes } from './Changes';
import {
  applied,
  changes,
  faults,
  followApplied,
  isChanged,
  loadSchema,
  propose,
  text,
  textReplaced,
  trouble,
  type,
} from './declared';
import { Graph, relationsOf } from './Graph';
import { Versions } from './Versions';

export default function Schema() {
  const editor = useEditor();
  const [view, setView] = useState('Schema');
  const [side, setSide] = useState('Changes');
  const [pane, setPane] = useState('Text');
  const [chosen, setChosen] = useState('');
  useEffect(() => void loadSchema(), []);
  const version = health.value?.schema.version;
  useEffect(() => {
    if (version !== undefined) void followApplied(version);
  }, [version]);
  useKeys();

  const show = (name: string) => {
    setChosen(name);
    const at = new RegExp(`^\\s*(type|enum|interface|union)\\s+${name}\\b`, 'm').exec(text.value)?.index;
    if (view === 'Schema' && at !== undefined && editor.current) reveal(editor.current, at);
  };
  const showPlace = (line: number, column: number) => {
    setPane('Text');
    setView('Schema');
    setTimeout(() => editor.current && reveal(editor.current, offsetOf(editor.current, line, column)));
  };
  const openPast = (past: PastSchema) => {
    setSide('Changes');
    setView('Compare');
    void propose(past.sdl);
    toast(`Version ${past.version} stands in the editor. Nothing is applied yet.`);
  };
  useCommands(
    'schema',
    collections.value.map(one => ({ name: one.name, detail: 'declaration', act: () => show(one.name) })),
    [collections.value, view],
  );

  const collection = collections.value.find(one => one.name === chosen) ?? collections.value[0];
  const panes = [
    { name: 'Collections', width: 240, class: 'side', content: <List chosen={collection?.name} show={show} /> },
    {
      name: 'Text',
      content: (
        <>
          <div class="bar">
            <Tabs
              label="Views of the schema"
              tabs={named('Schema', 'Compare', 'Graph')}
              value={view}
              onChange={setView}
            />
            <span class="grow" />
            {view === 'Schema' && (
              <button type="button" class="ghost" onClick={() => formatText(editor.current)}>
                Format
              </button>
            )}
          </div>
          <div class="grow column">
            {!applied.value && <p class="pad muted">{trouble.value || 'Loading'}</p>}
            {applied.value && view === 'Schema' && <Text key={textReplaced.value} view={editor} />}
            {applied.value && view === 'Compare' && (
              <Editor
                key={`${textReplaced.value} ${applied.value.version}`}
                label="Changes in the text"
                doc={text.value}
                language={compareWith(applied.value.sdl)}
                readOnly
              />
            )}
            {view === 'Graph' && collection && <Graph collection={collection} go={setChosen} />}
            {view === 'Graph' && !collection && <p class="pad muted">Apply a schema to see its relations.</p>}
          </div>
          <div class="status" role="status">
            <span>
              {applied.value?.version ? `version ${applied.value.version} is applied` : 'nothing is applied yet'}
            </span>
            {isChanged() && <span class="warn">● not applied</span>}
          </div>
        </>
      ),
    },
    {
      name: 'Changes',
      width: 400,
      content: (
        <>
          <div class="bar">
            <Tabs label="Beside the schema" tabs={named('Changes', 'Versions')} value={side} onChange={setSide} />
          </div>
          {side === 'Changes' ? <Changes onFault={showPlace} /> : <Versions onOpen={openPast} />}
        </>
      ),
    },
  ];
  return (
    <div class="page">
      <h1 class="unseen">Schema</h1>
      <Split id="schema" panes={panes} shown={pane} onShow={setPane} />
    </div>
  );
}

function Text({ view }: { view: EditorRef }) {
  return (
    <Editor
      label="Schema"
      doc={text.value}
      language={sdlLanguage()}
      keys={[{ key: SHORTCUTS.apply.key, run: runApply }]}
      onChange={type}
      view={view}
      faults={faults.value}
    />
  );
}

function runApply(): boolean {
  applyByKey();
  return true;
}

/** As the button: nothing that breaks is applied by a key. */
function applyByKey(): void {
  const breaks = changes.value.some(change => change.safety === 'BREAKING');
  if (!isChanged() || faults.value.length > 0) return;
  if (breaks) toast('This breaks clients or data: say so at the right, then apply.');
  else void applyAndTell(false);
}

function formatText(view: EditorView | undefined): void {
  if (!view) return;
  try {
    replaceDocument(view, format(view.state.doc.toString()));
  } catch {
    toast('The schema cannot be formatted while it has errors.');
  }
}

function useKeys(): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || document.querySelector('dialog[open]') || !isKey(event, SHORTCUTS.apply.key))
        return;
      event.preventDefault();
      applyByKey();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
}

function List({ chosen, show }: { chosen?: string; show(name: string): void }) {
  return (
    <>
      <div class="bar">
        <b class="title">Collections</b>
      </div>
      <div class="grow scroll" role="region" aria-label="Collections" tabIndex={0}>
        <ul class="list">
          {collections.value.map(one => {
            const { left, right } = relationsOf(one);
            return (
              <li key={one.name}>
                <button
                  type="button"
                  aria-current={one.name === chosen ? 'true' : undefined}
                  onClick={() => show(one.name)}
                >
                  <span>
                    {one.name}{' '}
                    {changes.value.some(change => change.coordinate.split('.')[0] === one.name) && (
                      <b class="warn">±</b>
                    )}
                  </span>
                  <span class="muted">{one.fields.length} fields</span>
                </button>
                {one.name === chosen && left.length + right.length > 0 && (
                  <ul class="relations">
                    {[...right, ...left].map(relation => (
                      <li key={relation.field}>
                        <span class="field">{relation.field}</span> → {relation.type}
                        {relation.many ? ' (many)' : ''}
                      </li>
                    ))}
                  </ul>
                )}
              </li>
            );
          })}
        </ul>
        {collections.value.length === 0 && (
          <p class="pad muted">
            There are none yet. A schema to start from stands in the editor: apply it, or write your own.
          </p>
        )}
      </div>
    </>
  );
}
