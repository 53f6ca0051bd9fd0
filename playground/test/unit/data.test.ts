//! What the Data page sends and reads: filters, edits, values, files.

import { parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import declared from '../../../examples/shop/schema.graphql?raw';
import chinook from '../../../schema/tests/golden/chinook.api.graphql?raw';
import sdl from '../../../schema/tests/golden/shop.api.graphql?raw';
import { buildSchema, collectionsOf, parseSdl } from '../../src/catalog';
import type { Collection } from '../../src/collection';
import { parseCsv, readFile, toCsv } from '../../src/csv';
import { mutationOf } from '../../src/pages/data/edits';
import { guessMapping, toInput } from '../../src/pages/data/importing';
import { filterBack, filterFault, firstFieldOf, pageQuery, selectionOf } from '../../src/pages/data/read';
import { ruleOf } from '../../src/pages/data/rules';
import { missingIndex, withDirective, withIndex } from '../../src/pages/data/suggest-index';

const schema = buildSchema(parseSdl(sdl));
const collections = collectionsOf(schema);
const collection = (name: string) => collections.find(one => one.name === name) as Collection;

test('every collection is read by a query that its schema takes', () => {
  for (const one of collections) {
    const query = pageQuery(one, selectionOf(schema, one, collections), '{ id: { isNull: false } }', {
      field: 'id',
      descending: true,
    });
    expect(validate(schema, parse(query))).toEqual([]);
  }
});

test('edits become one mutation that its schema takes', () => {
  const { query, variables } = mutationOf([
    { kind: 'update', collection: collection('Customer'), id: 'a', version: '1', before: {}, data: { name: 'x' } },
    { kind: 'create', collection: collection('Order'), id: 'new', data: { name: 'y' } },
    { kind: 'delete', collection: collection('Customer'), id: 'b', version: '2', before: {} },
  ]);
  expect(validate(schema, parse(query))).toEqual([]);
  expect(variables).toEqual({
    id0: 'a',
    version0: '1',
    data0: { name: 'x' },
    data1: { name: 'y' },
    id2: 'b',
    version2: '2',
  });
});

test('an update can answer the whole record, as the grid reads it', () => {
  for (const one of collections.filter(each => each.writes.update)) {
    const answer = `${one.payload} { ${selectionOf(schema, one, collections)} }`;
    const edit = { kind: 'update', collection: one, id: 'a', version: '1', before: {}, data: {} } as const;
    expect(validate(schema, parse(mutationOf([edit], answer).query))).toEqual([]);
  }
});

test('a filter is read, and a wrong one is explained', () => {
  expect(filterFault('')).toBeUndefined();
  expect(filterFault('{ a: { eq: 1 } }')).toBeUndefined();
  expect(filterFault('a = 1')).toContain('written as');
  expect(filterFault('{ a: ')).toContain('cannot be read');
  expect(firstFieldOf('{ loyaltyPoints: { gt: 1 } }')).toBe('loyaltyPoints');
});

test('a relation leads back through the only field that can', () => {
  expect(filterBack(collection('Order'), 'Customer', 'x')).toBe('{ customer: { id: { eq: "x" } } }');
  expect(filterBack(collection('Category'), 'Category', 'x')).toBeUndefined();
  expect(filterBack(collection('Category'), 'Product', 'x')).toBe('{ products: { some: { id: { eq: "x" } } } }');
});

test('the rule of a relation is found on either side', () => {
  expect(ruleOf(declared, 'Customer', 'orders')).toBe('RESTRICT');
  expect(ruleOf(declared, 'Customer', 'reviews')).toBe('CASCADE');
  expect(ruleOf(declared, 'Product', 'categories')).toBe('LINK');
});

test('an index is written at its field', () => {
  expect(withIndex('type A @collection {\n  id: ID!\n  n: Int! @default(value: 1)\n}', 'A', 'n')).toContain(
    'n: Int! @default(value: 1) @index\n',
  );
  expect(withIndex(declared, 'Customer', 'email')).toBeUndefined();
});

test('the index that a plan asks for is written at its type', () => {
  const warning = 'every Customer is read: @index(fields: ["loyaltyPoints"]) would serve it';
  const missing = missingIndex(warning, 'scan of all Customer');
  expect(missing).toEqual({ type: 'Customer', directive: '@index(fields: ["loyaltyPoints"])' });
  const text = withDirective(declared, 'Customer', '@index(fields: ["loyaltyPoints"])') ?? '';
  expect(text).toContain('@index(fields: ["country", "createdAt"]) @index(fields: ["loyaltyPoints"]) {');
  expect(withDirective(text, 'Customer', '@index(fields: ["loyaltyPoints"])')).toBeUndefined();
  expect(missingIndex('every Product is read', '')).toBeUndefined();
});

test('CSV is read as RFC 4180 says, and written so that it is read back', () => {
  expect(parseCsv('a,b\r\n"x, ""y""\nz",2\n\n')).toEqual([
    ['a', 'b'],
    ['x, "y"\nz', '2'],
  ]);
  expect(() => parseCsv('a\n"b')).toThrow('never closed');
  const rows = [{ a: 'x, "y"\n', b: [1, 2], c: null }];
  expect(readFile(`a,b,c\r\n${toCsv(['a', 'b', 'c'], rows)}`).rows).toEqual([{ a: 'x, "y"\n', b: '[1,2]' }]);
});

test('files of JSON are read, and what is wrong is named by its line', () => {
  expect(readFile('[{"a":1},{"b":2}]')).toEqual({ columns: ['a', 'b'], rows: [{ a: 1 }, { b: 2 }] });
  expect(readFile('{"a":1}\n\n{"a":2}\n').rows).toEqual([{ a: 1 }, { a: 2 }]);
  expect(() => readFile('{"a":1}\n{"a":')).toThrow('Line 2');
  expect(() => readFile('[1]')).toThrow('JSON object');
  expect(() => readFile('a,b\n1,2,3')).toThrow('Record 1 has 3 cells');
  expect(() => readFile('')).toThrow('empty');
});

test('columns are guessed and cells become values of their types', () => {
  const inputs = collection('Customer').create;
  const mapping = guessMapping(['E-Mail', 'NAME', 'loyalty_points', 'other'], inputs);
  expect(mapping).toEqual({ 'E-Mail': 'email', NAME: 'name', loyalty_points: 'loyaltyPoints', other: '' });
  expect(() => toInput({ NAME: 'a', loyalty_points: 'x' }, mapping, inputs)).toThrow('must be a number');
});

test('a column that names a related record by a key connects it', () => {
  const inputs = collectionsOf(buildSchema(parseSdl(chinook))).find(one => one.name === 'Track')?.create ?? [];
  const mapping = guessMapping(['track_id', 'album_id', 'genre', 'mediaTypeId', 'playlists', 'unit'], inputs);
  expect(mapping).toEqual({
    track_id: 'trackId',
    album_id: 'album',
    genre: 'genre',
    mediaTypeId: 'mediaType',
    playlists: 'playlists',
    unit: '',
  });
  const given = { trackId: 'trackId', name: 'name', milliseconds: 'milliseconds', price: 'unitPrice' };
  const row = { trackId: 1, name: 'a', milliseconds: 1, price: '0.99', mediaTypeId: '2' };
  const taken = (album: unknown, genre: unknown, playlists: unknown) =>
    toInput({ ...row, album_id: album, genre, playlists }, { ...mapping, ...given }, inputs);
  expect(taken('7', 1, '[1, 8]')).toMatchObject({
    album: { connect: { albumId: 7 } },
    genre: { connect: { genreId: 1 } },
    mediaType: { connect: { mediaTypeId: 2 } },
    playlists: { connect: [{ playlistId: 1 }, { playlistId: 8 }] },
  });
  expect(taken({ albumId: 7 }, { create: { genreId: 9, name: 'x' } }, [{ playlistId: 1 }])).toMatchObject({
    album: { connect: { albumId: 7 } },
    genre: { create: { genreId: 9, name: 'x' } },
    playlists: { connect: [{ playlistId: 1 }] },
  });
  expect(taken(7, 'Rock', [])).toMatchObject({ genre: { connect: { name: 'Rock' } } });
  const without = taken(7, '', null);
  expect('genre' in without || 'playlists' in without).toBe(false);
  expect(() => taken('', 1, [])).toThrow('"album" must be given');
  expect(() => taken('x', 1, [])).toThrow('albumId must be a number');
  expect(() => taken([1, 2], 1, [])).toThrow('album is one record: 2 are named');
});
