//! What can stand at a place of an operation, and how it is written there.

import { CompletionContext } from '@codemirror/autocomplete';
import { EditorState } from '@codemirror/state';
import { expect, test, vi } from 'vitest';
import sdl from '../../../schema/tests/golden/shop.api.graphql?raw';
import { buildSchema, parseSdl } from '../../src/catalog';

vi.stubGlobal('document', { querySelector: () => null });
const { operationLanguage } = await import('../../src/editor/graphql');

const schema = buildSchema(parseSdl(sdl));

/** What is offered where `|` stands. */
function offered(text: string, explicit = true) {
  const at = text.indexOf('|');
  const extensions = [operationLanguage({ schema, onDocs: () => undefined })];
  const state = EditorState.create({ doc: text.replace('|', ''), extensions });
  const context = new CompletionContext(state, at, explicit);
  const sources = state.languageDataAt<(context: CompletionContext) => unknown>('autocomplete', at);
  const results = sources.map(source => source(context)) as ({ from: number; options: Offered[] } | null)[];
  return results.flatMap(result => result?.options.map(one => ({ ...one, from: result.from })) ?? []);
}

interface Offered {
  label: string;
  detail?: string;
  apply?: unknown;
}

const labels = (text: string, explicit = true) => offered(text, explicit).map(one => one.label);

test('what is typed of a word leaves out nothing: the editor narrows it', () => {
  const all = labels('{ | }', true).filter(label => label !== 'all fields');
  expect(all).toContain('customers');
  expect(labels('{ zzz| }')).toEqual(all);
  expect(offered('{ cust| }')[0]?.from).toBe(2);
});

test('without being asked it offers where a word is begun, and nowhere else', () => {
  expect(labels('{ | }', false)).toEqual([]);
  expect(labels('{ c| }', false)).toContain('customers');
});

test('arguments, input fields and values of enums are offered', () => {
  expect(labels('{ customers(fi|) { nodes { id } } }')).toContain('first');
  expect(labels('{ customers(where: { loy| }) { nodes { id } } }')).toContain('loyaltyPoints');
  expect(labels('{ customers(orderBy: [{ name: A| }]) { nodes { id } } }')).toContain('DESC');
});

test('a variable is written with one mark', () => {
  const text = (place: string) => `query Q($count: Int) { customers(first: ${place}) { nodes { id } } }`;
  const written = (place: string) =>
    offered(text(place))
      .filter(one => one.label === '$count')
      .map(one => one.apply);
  expect(written('|')).toEqual(['$count']);
  expect(written('$|')).toEqual(['count']);
  expect(written('$co|')).toEqual(['count']);
});

test('all fields are offered where no word is begun', () => {
  expect(labels('{ customers { nodes { | } } }')).toContain('all fields');
  expect(labels('{ customers { nodes { n| } } }')).not.toContain('all fields');
});
