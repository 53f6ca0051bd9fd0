//! The language of operations. The only file that names cm6-graphql: completion, validation and Mod-click are its,
//! what it lacks is in `hover.ts` and `variables.ts`.

import type { Extension } from '@codemirror/state';
import { type EditorView, placeholder } from '@codemirror/view';
import { getSchema, graphql, graphqlLanguageSupport, offsetToPos, updateSchema } from 'cm6-graphql';
import { type GraphQLSchema, parse, print } from 'graphql';
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
  placeholder('Write an operation, or press Ctrl-Space'),
];

/** Colours alone: for pieces of GraphQL that bring their own completion. */
export const graphqlText = (): Extension => graphqlLanguageSupport();

export const useSchema = (view: EditorView, schema: GraphQLSchema): void => updateSchema(view, schema);

/** The text, printed as graphql-js prints it. Fails when it does not parse. */
export const format = (text: string): string => `${print(parse(text))}\n`;
