//! Makes editors. An editor owns its document: nothing writes a change back into it; only a command replaces it.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language';
import { type Diagnostic, linter, lintKeymap } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension, Prec, StateEffect, StateField } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  type KeyBinding,
  keymap,
  lineNumbers,
  placeholder,
} from '@codemirror/view';
import { asking } from './ask';
import { colours, theme } from './theme';

export type { Diagnostic, EditorView, Extension };

export interface EditorOptions {
  label: string;
  doc: string;
  /** A state of earlier, with its undo history. Taken when its text is still `doc`. */
  state?: EditorState;
  language: Extension;
  keys?: readonly KeyBinding[];
  readOnly?: boolean;
  /** Like an input: no line numbers, and Tab leaves. */
  oneLine?: boolean;
  /** What stands there while nothing does. */
  hint?: string;
  onChange?(doc: string): void;
  onCursor?(head: number): void;
}

// CodeMirror adds a style element: the policy lets it through by this nonce.
const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce;

/** What is wrong at a place: line and column from 1. */
export interface Fault {
  line: number;
  column: number;
  message: string;
}

/** From a key to looking for completions: enough to gather keys that wait together, too short to be seen. */
const TYPED_MS = 10;

const setFaults = StateEffect.define<readonly Diagnostic[]>();

/** What the server found wrong, until the text changes. */
const faults = StateField.define<readonly Diagnostic[]>({
  create: () => [],
  update(value, transaction) {
    for (const effect of transaction.effects) if (effect.is(setFaults)) return effect.value;
    return transaction.docChanged && value.length > 0 ? [] : value;
  },
});

const faultLinter = linter(view => view.state.field(faults), {
  delay: 50,
  needsRefresh: update => update.startState.field(faults) !== update.state.field(faults),
});

function extensions(options: EditorOptions): Extension {
  return [
    Prec.highest(keymap.of(options.keys ?? [])),
    options.oneLine ? [] : [lineNumbers(), foldGutter({ openText: '⌄', closedText: '›' })],
    options.hint ? placeholder(options.hint) : [],
    highlightSpecialChars(),
    drawSelection(),
    syntaxHighlighting(colours),
    highlightSelectionMatches(),
    theme,
    nonce ? EditorView.cspNonce.of(nonce) : [],
    options.language,
    faults,
    faultLinter,
    options.readOnly
      ? [EditorState.readOnly.of(true), EditorView.editable.of(false), EditorView.lineWrapping]
      : [
          history(),
          indentUnit.of('  '),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          asking,
          autocompletion({ icons: false, maxRenderedOptions: 100, activateOnTypingDelay: TYPED_MS }),
          options.oneLine ? [] : [highlightActiveLine(), highlightActiveLineGutter()],
        ],
    keymap.of([
      ...closeBracketsKeymap,
      ...defaultKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...foldKeymap,
      ...completionKeymap,
      ...lintKeymap,
      ...(options.readOnly || options.oneLine ? [] : [indentWithTab]),
    ]),
    // tabindex and label: without them a scrolling region is not reached by the keyboard.
    EditorView.contentAttributes.of({
      'aria-label': options.label,
      tabindex: '0',
      ...(options.readOnly
        ? { role: 'textbox', 'aria-readonly': 'true', 'aria-multiline': 'true' }
        : options.oneLine
          ? { 'aria-description': 'Enter applies it.' }
          : { 'aria-description': 'Tab indents. Press Escape, then Tab, to leave.' }),
    }),
    EditorView.updateListener.of(update => {
      if (update.docChanged) options.onChange?.(update.state.doc.toString());
      if (update.docChanged || update.selectionSet) options.onCursor?.(update.state.selection.main.head);
    }),
  ];
}

export function createEditor(parent: HTMLElement, options: EditorOptions): EditorView {
  const fresh = EditorState.create({ doc: options.doc, extensions: extensions(options) });
  const view = new EditorView({ parent, state: fresh });
  const kept = options.state;
  if (kept && kept.doc.toString() === options.doc) {
    view.dispatch({ selection: kept.selection, scrollIntoView: true });
  }
  return view;
}

/** Replaces the whole text: one step of undo. */
export function replaceDocument(view: EditorView, doc: string): void {
  if (view.state.doc.toString() === doc) return;
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: doc } });
}

/** Underlines what the server found wrong, where it found it. */
export function showFaults(view: EditorView, found: readonly Fault[]): void {
  const { doc } = view.state;
  const diagnostics = found.map(({ line, column, message }): Diagnostic => {
    const row = doc.line(Math.min(Math.max(line, 1), doc.lines));
    const from = Math.min(row.from + Math.max(column - 1, 0), row.to);
    const word = /^[\w$@]+/.exec(doc.sliceString(from, row.to))?.[0].length ?? 1;
    return { from, to: Math.min(from + word, doc.length), severity: 'error', message };
  });
  view.dispatch({ effects: setFaults.of(diagnostics) });
}

/** Moves the cursor to a place and shows it. */
export function reveal(view: EditorView, offset: number): void {
  view.dispatch({
    selection: { anchor: Math.min(offset, view.state.doc.length) },
    effects: EditorView.scrollIntoView(offset, { y: 'center' }),
  });
  view.focus();
}

/** The offset of a line and column, both from 1. */
export function offsetOf(view: EditorView, line: number, column: number): number {
  const row = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
  return Math.min(row.from + column - 1, row.to);
}
