//! What is sent, and what is shown of it: operations, headers, snippets, lists, plans, links, names.

import { expect, test } from 'vitest';
import { timingOf } from '../../src/api/http';
import { parseHeaders } from '../../src/pages/query/headers';
import { listsOf } from '../../src/pages/query/lists';
import { operationAt } from '../../src/pages/query/operation';
import { curl } from '../../src/pages/query/snippet';
import { distance } from '../../src/palette';
import { rowsOf } from '../../src/plan';
import { href, parse } from '../../src/router';
import { isKey, SHORTCUTS } from '../../src/shortcuts';
import { contentOf, fragmentOf } from '../../src/state/share';
import { titleOf } from '../../src/state/tabs';

test('the operation around the cursor is meant', () => {
  const text = 'query A { a }\n\nmutation B { b }\n';
  expect(operationAt(text, 3)).toEqual({ name: 'A', kind: 'query' });
  expect(operationAt(text, 20)).toEqual({ name: 'B', kind: 'mutation' });
  expect(operationAt(text, text.length)).toEqual({ name: 'B', kind: 'mutation' });
  expect(operationAt('{ a }', 0)).toEqual({ name: undefined, kind: 'query' });
  expect(operationAt('mutation { broken(', 0)).toEqual({ kind: 'mutation' });
});

test('headers are read by line, and a wrong one is named', () => {
  expect(parseHeaders('A-b: c: d\n\n# no\n x-Y :1')).toEqual({ headers: { 'a-b': 'c: d', 'x-y': '1' } });
  expect(parseHeaders('no colon').fault).toContain('"no colon"');
  expect(parseHeaders('a b: c').fault).toContain('a b');
});

test('what the server took is read from its header', () => {
  const header = 'prepare;desc="known";dur=0.012, snapshot;dur=0, execute;dur=1.9, total;dur=1.912';
  expect(timingOf(header)).toEqual({ known: true, prepare: 0.012, snapshot: 0, execute: 1.9, total: 1.912 });
  expect(timingOf('prepare;dur=3, snapshot;dur=1, execute;dur=2, total;dur=6')?.known).toBe(false);
  for (const other of [null, '', 'cache;desc="hit"', 'total;dur=1', 'total;dur=x']) {
    expect(timingOf(other)).toBeUndefined();
  }
});

test('a snippet survives a shell', () => {
  const text = curl('http://h/graphql', '{ a(b: "it\'s") }', '{\n  "n": 1\n}', { 'x-a': "b'c" });
  expect(text).toContain(`'\\''`);
  expect(text).toContain('"variables":{ "n": 1 }');
});

test('lists of an answer are found, connections as their nodes', () => {
  const lists = listsOf({
    a: { nodes: [{ id: 1, many: { nodes: [{ x: 1 }] } }] },
    b: { edges: [{ cursor: 'c', node: { id: 2 } }] },
  });
  expect(lists).toEqual([
    { path: 'a.nodes', rows: [{ id: 1, many: { nodes: [{ x: 1 }] } }] },
    { path: 'b.edges', rows: [{ cursor: 'c', id: 2 }] },
  ]);
  expect(listsOf({ one: { id: 1 } })).toEqual([{ path: 'one', rows: [{ id: 1 }] }]);
  expect(listsOf(null)).toEqual([]);
});

test('a plan is walked depth first, with shares of the time', () => {
  const child = { op: 'Scan', detail: 'all', estimatedRows: 5, micros: 25 };
  const rows = rowsOf({ op: 'Connection', detail: 'a', micros: 100, children: [child] });
  expect(rows.map(row => [row.node.op, row.depth, row.share, row.scans])).toEqual([
    ['Connection', 0, 1, false],
    ['Scan', 1, 0.25, true],
  ]);
  expect(rowsOf(undefined)).toEqual([]);
});

test('a link carries an operation there and back, and a damaged one says so', async () => {
  const content = { query: 'query Ä { a(b: "☃") }', variables: '{"n": 1.10}' };
  const fragment = await fragmentOf(content);
  expect(fragment).toMatch(/^#\/query\?share=[\w-]+$/);
  const share = parse(fragment).parameters.get('share') ?? '';
  expect(await contentOf(share)).toEqual(content);
  await expect(contentOf(share.slice(0, -4))).rejects.toThrow('damaged');
  await expect(contentOf('!')).rejects.toThrow('damaged');
});

test('an address leads back to its place', () => {
  const route = parse(href('data', 'Ord/er', { where: '{ a: "&" }' }));
  expect([route.page, route.rest, route.parameters.get('where')]).toEqual(['data', 'Ord/er', '{ a: "&" }']);
  expect(parse('#/data/%E0%A4').rest).toBe('%E0%A4');
});

test('a tab is named after its operation', () => {
  expect(titleOf('# c\nquery Page($a: Int) { a }')).toBe('Page');
  expect(titleOf('{ customers { nodes } }')).toBe('customers');
  expect(titleOf('')).toBe('untitled');
});

test('no key does two things in one place', () => {
  const all = Object.values(SHORTCUTS);
  const keys = all.map(one => `${one.key.toLowerCase()}`);
  expect(new Set(keys).size).toBe(keys.length);
});

test('a key is what is pressed with its modifiers', () => {
  const event = (key: string, more: object = {}) =>
    ({ key, code: '', ctrlKey: false, altKey: false, metaKey: false, shiftKey: false, ...more }) as KeyboardEvent;
  expect(isKey(event('k', { ctrlKey: true }), 'Mod-k')).toBe(true);
  expect(isKey(event('k'), 'Mod-k')).toBe(false);
  expect(isKey(event('K', { ctrlKey: true, shiftKey: true }), 'Mod-k')).toBe(false);
  expect(isKey(event('?', { shiftKey: true }), '?')).toBe(true);
  expect(isKey(event('Ï', { altKey: true, shiftKey: true, code: 'KeyF' }), 'Shift-Alt-f')).toBe(true);
});

test('the palette finds letters in order', () => {
  expect(distance('Customers', 'cust')).toBe(0);
  expect(distance('Order lines', 'ol')).toBeGreaterThan(0);
  expect(distance('Customers', 'x')).toBeUndefined();
});
