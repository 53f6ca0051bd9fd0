//! The language of schemas that people declare: colours, and completion of our directives, scalars and their own types.

import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { EditorState, type Extension } from '@codemirror/state';
import { isAsked } from './ask';
import { graphqlText } from './graphql';

type Place = 'type' | 'field';

interface Directive {
  name: string;
  on: Place[];
  /** What stands in its parentheses at first. */
  given?: string;
  info: string;
  args: string[];
}

/** As docs/sdl.md has them. */
const DIRECTIVES: Directive[] = [
  {
    name: 'collection',
    on: ['type'],
    info: 'Its values are stored as records of their own.',
    args: ['plural', 'name', 'operations'],
  },
  { name: 'unique', on: ['type', 'field'], info: 'No two records have the same.', args: ['fields', 'name'] },
  { name: 'index', on: ['type', 'field'], info: 'Filters and orders by it are quick.', args: ['fields', 'name'] },
  {
    name: 'relation',
    on: ['field'],
    given: '(inverse: "")',
    info: 'The field leads to records of another collection.',
    args: ['inverse', 'onDelete', 'field'],
  },
  {
    name: 'default',
    on: ['field'],
    given: '(value: )',
    info: 'What it is when nothing is given.',
    args: ['value', 'now'],
  },
  {
    name: 'check',
    on: ['type', 'field'],
    given: '(expr: {  })',
    info: 'What must hold of every record.',
    args: ['expr', 'message'],
  },
  { name: 'autoIncrement', on: ['field'], info: 'Counts up with every record.', args: ['start'] },
  { name: 'updatedAt', on: ['field'], info: 'When the record was last written.', args: [] },
  { name: 'readOnly', on: ['field'], info: 'Given once, never changed.', args: [] },
  { name: 'hidden', on: ['field'], info: 'Stored, and not part of the API.', args: [] },
  {
    name: 'computed',
    on: ['field'],
    given: '(expr: "")',
    info: 'Worked out from other fields.',
    args: ['expr', 'stored'],
  },
  {
    name: 'precision',
    on: ['field'],
    given: '(digits: 12, scale: 2)',
    info: 'How many digits a decimal has.',
    args: ['digits', 'scale'],
  },
  {
    name: 'rename',
    on: ['type', 'field'],
    given: '(from: "")',
    info: 'It had another name before: its data stays.',
    args: ['from'],
  },
];

const SCALARS =
  'ID String Int Float Boolean BigInt Decimal DateTime Date Duration UUID Bytes JSON Email CountryCode'.split(' ');
const ON_DELETE = ['RESTRICT', 'CASCADE', 'SET_NULL'];

/** Names of the types that a text declares. */
export const typesOf = (text: string): string[] =>
  [...text.matchAll(/^\s*(?:type|enum|interface|union|input)\s+([A-Za-z_]\w*)/gm)].map(match => match[1] as string);

const options = (names: string[], type: string): Completion[] => names.map(label => ({ label, type }));

/** What can stand where the cursor is in a declared schema. */
export function completeSdl(context: CompletionContext): CompletionResult | null {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  const word = context.matchBefore(/\w*$/);
  const from = word?.from ?? context.pos;

  const directive = /@\w*$/.exec(before);
  if (directive) {
    const place: Place = /^\s*(type|interface|enum)\b/.test(line.text) || /^\s*@/.test(line.text) ? 'type' : 'field';
    return {
      from: context.pos - directive[0].length,
      options: DIRECTIVES.filter(one => one.on.includes(place)).map(one => ({
        label: `@${one.name}`,
        apply: `@${one.name}${one.given ?? ''}`,
        info: one.info,
        type: 'keyword',
      })),
    };
  }
  if (/onDelete:\s*\w*$/.test(before)) return { from, options: options(ON_DELETE, 'enum') };
  const within = /@(\w+)\([^()]*?(?:^|[(,]\s*)\w*$/.exec(before);
  if (within) {
    const known = DIRECTIVES.find(one => one.name === within[1]);
    return known
      ? { from, options: known.args.map(label => ({ label, apply: `${label}: `, type: 'property' })) }
      : null;
  }
  if (/:\s*\[?\w*$/.test(before) && !before.includes('@')) {
    return { from, options: [...options(typesOf(context.state.doc.toString()), 'type'), ...options(SCALARS, 'type')] };
  }
  if (/^\w*$/.test(before) && (isAsked(context) || from < context.pos)) {
    return { from, options: options(['type', 'enum', 'interface', 'union'], 'keyword') };
  }
  return null;
}

export const sdlLanguage = (): Extension => [
  graphqlText(),
  EditorState.languageData.of(() => [{ autocomplete: completeSdl }]),
];
