//! What the page makes of a generated schema: collections, samples, docs, and variables completed and checked.

import { CompletionContext } from '@codemirror/autocomplete';
import { ensureSyntaxTree } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { parse, validate } from 'graphql';
import { expect, test, vi } from 'vitest';
import sdl from '../../../schema/tests/golden/shop.api.graphql?raw';
import { buildSchema, collectionsOf, parseSdl } from '../../src/catalog';
import { sampleOf } from '../../src/collection';

vi.stubGlobal('document', { querySelector: () => null });
const { checkVariables, complete, setVariables, variablesLanguage, variablesOf } = await import(
  '../../src/editor/variables'
);
const { toldAt } = await import('../../src/editor/hover');
const { find } = await import('../../src/pages/query/Docs');

const schema = buildSchema(parseSdl(sdl));
const collections = collectionsOf(schema);
const QUERY =
  'query Q($first: Int!, $where: CustomerWhere, $tags: [String!]) { customers(first: $first, where: $where) { nodes { id } } }';

function state(doc: string) {
  const base = EditorState.create({ doc, extensions: [variablesLanguage()] });
  const wanted = variablesOf(schema, QUERY);
  const next = base.update({ effects: setVariables.of(wanted) }).state;
  ensureSyntaxTree(next, doc.length, 5_000);
  return next;
}

/** Completions where `|` stands. */
function completed(text: string): string[] {
  const at = text.indexOf('|');
  const context = new CompletionContext(state(text.replace('|', '')), at, true);
  return (complete(context)?.options ?? []).map(option => option.label);
}

function faults(text: string): string[] {
  const wanted = variablesOf(schema, QUERY);
  return wanted ? checkVariables(state(text), wanted).map(one => one.message) : [];
}

test('every collection has a sample that its schema takes', () => {
  expect(collections.length).toBeGreaterThan(2);
  for (const collection of collections) expect(validate(schema, parse(sampleOf(collection)))).toEqual([]);
});

test('fields are told apart by what they hold', () => {
  const customer = collections.find(one => one.name === 'Customer');
  const kinds = Object.fromEntries(customer?.fields.map(field => [field.name, field.kind]) ?? []);
  expect(kinds).toMatchObject({ id: 'scalar', status: 'enum', address: 'value', orders: 'many' });
  expect(customer?.fields.find(field => field.name === 'orders')?.type).toBe('Order');
});

test('names of variables and of their fields are completed, values too', () => {
  expect(completed('{ | }')).toEqual(['first', 'where', 'tags']);
  expect(completed('{ "first": 1, "|" }')).toEqual(['where', 'tags']);
  expect(completed('{ "where": { "na|" } }')).toContain('name');
  expect(completed('{ "where": { "name": { | } } }')).toContain('startsWith');
  expect(completed('{ "where": { "name": { "st|')).toContain('startsWith');
  expect(completed('{ "where": { "and": [{ "|" }] } }')).toContain('email');
  expect(completed('{ "where": { "status": { "eq": | } } }')).toContain('ACTIVE');
});

test('variables are checked against the types that the operation declares', () => {
  expect(faults('{ "first": 3 }')).toEqual([]);
  expect(faults('{}')).toEqual(['"first" must be given.']);
  expect(faults('{ "first": "3" }')).toEqual(['This must be a Int.']);
  expect(faults('{ "first": 1.5 }')).toEqual(['This must be a whole number.']);
  expect(faults('{ "first": null }')[0]).toContain('null');
  expect(faults('{ "first": 1, "nope": 1 }')).toEqual(['The operation has no "nope".']);
  expect(faults('{ "first": 1, "where": { "nam": 1 } }')).toEqual(['CustomerWhere has no "nam".']);
  expect(faults('{ "first": 1, "where": { "status": { "eq": "GONE" } } }')[0]).toContain('ACTIVE');
  expect(faults('{ "first": 1, "tags": "one" }')).toEqual([]);
  expect(faults('[1]')).toEqual(['Variables are one JSON object.']);
});

test('what stands under the mouse is told', () => {
  const character = QUERY.indexOf('nodes') + 2;
  expect(toldAt(schema, QUERY, { line: 0, character })?.signature).toBe('CustomerConnection.nodes: [Customer!]!');
});

test('docs find types first and fields after them', () => {
  const found = find(schema, 'customer');
  expect(found[0]).toEqual({ type: 'Customer' });
  expect(found.some(place => place.field === 'customers')).toBe(true);
});
