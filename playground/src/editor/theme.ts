//! How editors look: fields, types, strings and numbers in the colours that docs, grid and plan have too.

import { HighlightStyle } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags as t } from '@lezer/highlight';

export const colours = HighlightStyle.define([
  { tag: [t.keyword, t.definitionKeyword, t.modifier], color: 'var(--syn-keyword)' },
  { tag: [t.propertyName, t.attributeName], color: 'var(--syn-field)' },
  { tag: [t.atom, t.typeName], color: 'var(--syn-type)' },
  { tag: [t.string], color: 'var(--syn-string)' },
  { tag: [t.integer, t.float, t.number, t.bool, t.null], color: 'var(--syn-number)' },
  { tag: [t.variableName, t.special(t.name)], color: 'var(--syn-variable)' },
  { tag: [t.lineComment, t.comment], color: 'var(--ink-2)', fontStyle: 'italic' },
  { tag: [t.punctuation, t.paren, t.brace, t.separator], color: 'var(--ink-2)' },
]);

export const theme = EditorView.theme({
  '&': { height: '100%', fontSize: '13px', color: 'var(--ink-1)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '20px' },
  '.cm-content': { caretColor: 'var(--accent)' },
  '.cm-gutters': { backgroundColor: 'var(--surface-1)', border: '0', color: 'var(--ink-3)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--line-active)' },
  '.cm-cursor': { borderLeftColor: 'var(--accent)', borderLeftWidth: '2px' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--selection)',
  },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--selection)', color: 'inherit' },
  '.cm-foldPlaceholder': {
    backgroundColor: 'var(--surface-3)',
    border: '1px solid var(--rule)',
    color: 'var(--ink-2)',
  },
  '.cm-placeholder': { color: 'var(--ink-3)' },
  '.cm-panels': { backgroundColor: 'var(--surface-2)', color: 'var(--ink-1)' },
  '.cm-panels.cm-panels-bottom': { borderTop: '1px solid var(--rule)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--surface-3)',
    border: '1px solid var(--rule)',
    borderRadius: '4px',
    boxShadow: 'var(--shadow)',
    color: 'var(--ink-1)',
    maxWidth: 'min(480px, 90vw)',
  },
  '.cm-tooltip-autocomplete ul li': { padding: '2px 8px', lineHeight: '20px' },
  '.cm-tooltip.cm-tooltip-autocomplete ul li[aria-selected]': {
    backgroundColor: 'var(--accent-soft)',
    color: 'var(--ink-1)',
  },
  '.cm-completionDetail': { color: 'var(--ink-2)', fontStyle: 'normal', marginLeft: '12px' },
  '.cm-completionIcon': { display: 'none' },
  '.cm-completionInfo': { padding: '6px 8px', fontFamily: 'var(--font-ui)', fontSize: '12px' },
  '.cm-diagnostic': { padding: '6px 8px', fontFamily: 'var(--font-ui)', fontSize: '12px', whiteSpace: 'pre-wrap' },
  '.cm-diagnostic-error': { borderLeft: '2px solid var(--bad)' },
  '.cm-diagnostic-warning': { borderLeft: '2px solid var(--warn)' },
  '.cm-lintRange-error': {
    backgroundImage: 'none',
    textDecoration: 'underline wavy var(--bad)',
    textUnderlineOffset: '3px',
  },
  '.cm-lintRange-warning': {
    backgroundImage: 'none',
    textDecoration: 'underline wavy var(--warn)',
    textUnderlineOffset: '3px',
  },
  '.cm-lintRange-active': { backgroundColor: 'var(--accent-soft)' },
  '.cm-collapsedLines': { background: 'var(--surface-2)', color: 'var(--ink-2)', padding: '2px 12px' },
  '.cm-collapsedLines:before, .cm-collapsedLines:after': { content: '""' },
  '.cm-deletedChunk .cm-deletedText': { color: 'var(--ink-1)', background: 'none' },
  '.cm-hover': { padding: '6px 8px', fontSize: '12px' },
  '.cm-hover code': { fontFamily: 'var(--font-mono)' },
  '.cm-hover p': { margin: '4px 0 0', color: 'var(--ink-2)' },
});
