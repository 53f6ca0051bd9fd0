//! The language of operations. The only file that names cm6-graphql: completion, validation and Mod-click are its,
//! what it lacks is in `hover.ts`, `fill.ts` and `variables.ts`.

import type { CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import type { Extension } from '@codemirror/state';
import { type EditorView, placeholder } from '@codemirror/view';
import { getSchema, graphql, graphqlLanguage, graphqlLanguageSupport, offsetToPos, updateSchema } from 'cm6-graphql';
import { type GraphQLSchema, parse, print } from 'graphql';
import { fillAt } from './fill';
import { hover } from './hover';

export { getSchema, offsetToPos };

export interface OperationOptions {
  schema?: GraphQLSchema;
  /** Somebody asked for the documentation of a type or a field. */
  onDocs(type?: string, field?: string): void;
}

function note(description?: string | null): Node | null {
  if (!description) return null;
  const text = document.createElement('div');
  text.textContent = description;
  return text;
}

export const operationLanguage = ({ schema, onDocs }: OperationOptions): Extension => [
  graphql(schema, {
    onShowInDocs: (field, type, parent) => onDocs(parent ?? type, field),
    onCompletionInfoRender: item => note(item.documentation),
  }),
  hover,
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

/** Among the fields, when they are asked for and none is begun: all of them. */
function offerFill({ explicit, state, pos }: CompletionContext): CompletionResult | null {
  const schema = getSchema(state);
  if (!explicit || !schema || /\w/.test(state.sliceDoc(pos - 1, pos))) return null;
  if (fillAt(schema, state.doc.toString(), pos).length === 0) return null;
  return { from: pos, options: [{ label: 'all fields', detail: 'fill', boost: 99, apply: view => void fill(view) }] };
}

/** The text, printed as graphql-js prints it. Fails when it does not parse. */
export const format = (text: string): string => `${print(parse(text))}\n`;
