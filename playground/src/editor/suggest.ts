//! What the schema allows at the end of a beginning of an operation.

import type { Completion } from '@codemirror/autocomplete';
import type { GraphQLSchema } from 'graphql';
import { getAutocompleteSuggestions } from 'graphql-language-service';

/** Completions for the end of `text`, which is one line. */
export function suggestionsAt(schema: GraphQLSchema, text: string): Completion[] {
  // biome-ignore lint/suspicious/noExplicitAny: the library wants its own class and uses two numbers of it.
  const end: any = { line: 0, character: text.length };
  return getAutocompleteSuggestions(schema, text, end).map(one => ({
    label: one.label,
    detail: one.detail,
    info: one.documentation ?? undefined,
  }));
}
