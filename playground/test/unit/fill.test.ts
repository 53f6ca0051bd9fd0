//! "Fill all fields": what comes where, and that the schema takes it.

import { parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import sdl from '../../../schema/tests/golden/shop.api.graphql?raw';
import { buildSchema, collectionsOf, parseSdl } from '../../src/catalog';
import { fillAt } from '../../src/editor/fill';

const schema = buildSchema(parseSdl(sdl));

/** The text after filling where `|` stands. */
function filled(marked: string): string {
  const cursor = marked.indexOf('|');
  const text = marked.replace('|', '');
  const changes = fillAt(schema, text, cursor);
  return changes.reduceRight((all, { from, to, insert }) => all.slice(0, from) + insert + all.slice(to), text);
}

const unchanged = (marked: string) => expect(filled(marked)).toBe(marked.replace('|', ''));

const CATEGORY = ['id', 'slug', 'title'];
const indented = (depth: number) => CATEGORY.map(name => `${'  '.repeat(depth)}${name}\n`).join('');

test('empty braces are filled with the scalars and enums of their type', () => {
  expect(filled('{\n  categories {\n    nodes {|}\n  }\n}')).toBe(
    `{\n  categories {\n    nodes {\n${indented(3)}    }\n  }\n}`,
  );
  const customer = filled('{ customer(by: { id: "a" }) { | } }');
  expect(customer).toContain('status');
  expect(customer).not.toContain('address');
  expect(validate(schema, parse(customer))).toEqual([]);
});

test('a connection is filled by its nodes, and counts nothing that nobody asked for', () => {
  const wanted = `{\n  categories {\n    nodes {\n${indented(3)}    }\n  }\n}`;
  expect(filled('{\n  categories {|}\n}')).toBe(wanted);
  expect(filled('{\n  categories|\n}')).toBe(wanted);
  expect(filled('{\n  categories\n|}')).toBe(wanted);
  expect(filled('{ categories { | nodes { id } totalCount } }')).toBe(
    '{ categories {  nodes { id slug title } totalCount } }',
  );
});

test('what is there stays, and what it is called in the answer is not called twice', () => {
  expect(filled('{ categories { nodes { title| } } }')).toBe('{ categories { nodes { title id slug } } }');
  expect(filled('{ categories { nodes {title|} } }')).toBe('{ categories { nodes {title id slug} } }');
  expect(filled('{ categories { nodes { slug: id | } } }')).toBe('{ categories { nodes { slug: id  id title } } }');
  expect(filled('{\n  categories {\n    nodes {\n      title # why\n|    }\n  }\n}')).toBe(
    '{\n  categories {\n    nodes {\n      title # why\n      id\n      slug\n    }\n  }\n}',
  );
  const bare = filled('{ categories { nodes { id slug title | parent } } }');
  expect(bare).toContain('parent {\n  id\n');
  expect(validate(schema, parse(bare))).toEqual([]);
  unchanged(filled('{ categories { nodes { | } } }').replace('slug', '|slug'));
});

test('fragments, aliases, arguments and mutations are seen through', () => {
  expect(filled('fragment F on Category { | }')).toBe(`fragment F on Category {\n${indented(1)}}`);
  expect(filled('{ node(id: "{") { ... on Category { | } } }')).toContain('slug');
  expect(filled('{ mine: categories(first: 2, where: { slug: { eq: "}" } }) @include(if: true) {|} }')).toContain(
    'slug',
  );
  const mutation = filled('mutation M($id: ID!) { updateCategory(by: { id: $id }, data: { title: "x" }) {|} }');
  expect(mutation).toContain('category {');
  expect(validate(schema, parse(mutation))).toEqual([]);
  expect(filled('{ categories { edges { | } } }')).toContain('node {');
});

test('where nothing is missing or known, nothing changes', () => {
  unchanged('|');
  unchanged('{ | }');
  unchanged('{ nope { | } }');
  unchanged('{ categories { nodes { id } } } |');
  unchanged('{ categories { nodes { ...F| id slug title } } }');
  unchanged('{ customers(where: { name: { eq: "| } }) { nodes { } } }');
  expect(filled('{ categories { nodes { |')).toContain('slug');
});

test('every collection can be filled from its name alone', () => {
  for (const { plural } of collectionsOf(schema)) expect(validate(schema, parse(filled(`{ ${plural}| }`)))).toEqual([]);
});
