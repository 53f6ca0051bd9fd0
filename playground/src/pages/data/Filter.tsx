//! A filter in the collection's own language, in one line, with completion from the schema.

import { type CompletionContext, type CompletionResult, completionStatus } from '@codemirror/autocomplete';
import { EditorState, type Extension } from '@codemirror/state';
import type { GraphQLSchema } from 'graphql';
import { useRef } from 'preact/hooks';
import { isAsked } from '../../editor/ask';
import type { EditorView } from '../../editor/create';
import { graphqlText } from '../../editor/graphql';
import { suggestionsAt } from '../../editor/suggest';
import { Editor } from '../../ui/Editor';

interface Props {
  schema: GraphQLSchema;
  plural: string;
  value: string;
  onChange(text: string): void;
  onApply(): void;
}

const language = (latest: { current: Props }): Extension => {
  const complete = (context: CompletionContext): CompletionResult | null => {
    const word = context.matchBefore(/\w*$/);
    if (!isAsked(context) && word?.from === word?.to) return null;
    const before = `{ ${latest.current.plural}(where: ${context.state.sliceDoc(0, context.pos)}`;
    const options = suggestionsAt(latest.current.schema, before, { line: 0, character: before.length });
    return options.length > 0 ? { from: word?.from ?? context.pos, options, validFor: /^\w*$/ } : null;
  };
  return [
    graphqlText(),
    EditorState.languageData.of(() => [{ autocomplete: complete }]),
    // One line: a pasted line break becomes a space.
    EditorState.transactionFilter.of(transaction => (transaction.newDoc.lines > 1 ? [] : transaction)),
  ];
};

export function Filter(props: Props) {
  const latest = useRef(props);
  latest.current = props;
  const apply = (view: EditorView) => {
    // Enter takes the completion that is offered, and applies the filter when none is.
    if (completionStatus(view.state) === 'active') return false;
    latest.current.onApply();
    return true;
  };
  return (
    <Editor
      label="Filter"
      doc={props.value}
      language={language(latest)}
      oneLine
      hint="Filter, as { name: { startsWith: &quot;A&quot; } }"
      keys={[{ key: 'Enter', run: apply }]}
      onChange={props.onChange}
    />
  );
}
