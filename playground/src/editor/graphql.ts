//! The language of operations. Its grammar, validation and Mod-click are those of cm6-graphql; what that lacks is in
//! `suggest.ts`, `hover.ts`, `fill.ts` and `variables.ts`.

import type { CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import type { Extension } from '@codemirror/state';
import { type EditorView, placeholder } from '@codemirror/view';
import {
  getSchema,
  graphqlLanguage,
  graphqlLanguageSupport,
  jump,
  lint,
  offsetToPos,
  stateExtensions,
  updateSchema,
} from 'cm6-graphql';
import { type GraphQLSchema, parse, print } from 'graphql';
import { isAsked } from './ask';
import { fillAt } from './fill';
import { hover } from './hover';
import { suggestionsAt } from './suggest';

export { getSchema, offsetToPos };

export interface OperationOptions {
  schema?: GraphQLSchema;
  /** Somebody asked for the documentation of a type or a field. */
  onDocs(type?: string, field?: string): void;
}

export const operationLanguage = ({ schema, onDocs }: OperationOptions): Extension => [
  graphqlLanguageSupport(),
  lint,
  jump,
  stateExtensions(schema, { onShowInDocs: (field, type, parent) => onDocs(parent ?? type, field) }),
  hover,
  graphqlLanguage.data.of({ autocomplete: complete }),
  graphqlLanguage.data.of({ autocomplete: offerFill }),
  placeholder('Write an operation, or press Ctrl-Space'),
];

/** Colours alone: for pieces of GraphQL that bring their own completion. */
export const graphqlText = (): Extension => graphqlLanguageSupport();

export const useSchema = (view: EditorView, schema: GraphQLSchema): void => updateSchema(view, schema);

/** Fills the selection at the cursor, as one step of undo. Answers whether anything was missing. */
export function fill(view: EditorView): boolean {
  const schema = getSchema(view.state);
  const { head } = view.state.selection.main;
  const missing = schema ? fillAt(schema, view.state.doc.toString(), head) : [];
  if (missing.length === 0) return false;
  const changes = view.state.changes(missing);
  // Between braces that were empty, one goes on after the last field.
  const around = missing.find(one => one.from <= head && head <= one.to && one.insert.startsWith('\n'));
  const anchor = around ? changes.mapPos(around.from, -1) + around.insert.trimEnd().length : changes.mapPos(head);
  view.dispatch({ changes, selection: { anchor }, scrollIntoView: true, userEvent: 'input.fill' });
  return true;
}

/** What the schema takes at the cursor: asked for once a word. */
function complete(context: CompletionContext): CompletionResult | null {
  const schema = getSchema(context.state);
  const word = context.matchBefore(/\w*/);
  if (!schema || !word || (word.text === '' && !isAsked(context))) return null;
  const { doc } = context.state;
  const options = suggestionsAt(schema, doc.toString(), offsetToPos(doc, context.pos));
  return options.length > 0 ? { from: word.from, options, validFor: /^\w*$/ } : null;
}

/** Among the fields, when they are asked for and none is begun: all of them. */
function offerFill(context: CompletionContext): CompletionResult | null {
  const { state, pos } = context;
  const schema = getSchema(state);
  if (!schema || !isAsked(context) || /\w/.test(state.sliceDoc(pos - 1, pos))) return null;
  if (fillAt(schema, state.doc.toString(), pos).length === 0) return null;
  return { from: pos, options: [{ label: 'all fields', detail: 'fill', boost: 99, apply: view => void fill(view) }] };
}

/** The text, printed as graphql-js prints it. Fails when it does not parse. */
export const format = (text: string): string => `${print(parse(text))}\n`;
