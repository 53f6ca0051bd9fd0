//! What the schema allows at a place of an operation, or of a beginning of one.

import type { Completion } from '@codemirror/autocomplete';
import type { GraphQLSchema } from 'graphql';
import { getAutocompleteSuggestions, getTokenAtPosition } from 'graphql-language-service';

type Suggestion = ReturnType<typeof getAutocompleteSuggestions>[number];
type Position = Parameters<typeof getAutocompleteSuggestions>[2];

/** All completions at a place, whatever word is begun there: CodeMirror narrows them while it is typed. */
export function suggestionsAt(
  schema: GraphQLSchema,
  text: string,
  at: Pick<Position, 'line' | 'character'>,
): Completion[] {
  // The library wants its own class, and uses two numbers of it.
  const place = at as Position;
  const token = getTokenAtPosition(text, place, 1);
  // With a word the library would compare each name letter by letter, for CodeMirror to match them once more.
  const string = /^\w/.test(token.string) ? '' : token.string;
  return getAutocompleteSuggestions(schema, text, place, { ...token, string, type: null }).map(completionOf);
}

const completionOf = ({ label, detail, documentation, rawInsert }: Suggestion): Completion => ({
  label,
  detail: detail ?? undefined,
  // A variable is written with its mark or without, by what stands before it.
  apply: rawInsert ?? undefined,
  info: documentation ?? undefined,
});
