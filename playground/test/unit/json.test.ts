//! JSON as text.

import { expect, test } from 'vitest';
import { indent, placeOf } from '../../src/json';

const cases = [
  '{}',
  '[]',
  '{"a":1}',
  '{"a":[],"b":{},"c":[1,[2,{}]]}',
  '{"a":{"b":[{"c":null},{"c":"x,{}\\"y"}]}}',
  '"text"',
  '12',
];

test('text is indented as JSON.stringify indents', () => {
  for (const text of cases) expect(indent(text)).toBe(JSON.stringify(JSON.parse(text), null, 2));
});

test('a number keeps all its digits', () => {
  expect(indent('{"a":12345678901234567890.10}')).toBe('{\n  "a": 12345678901234567890.10\n}');
});

test('members of the top object are left out, wherever they stand', () => {
  const rest = '{\n  "data": {\n    "extensions": 2\n  }\n}';
  expect(indent('{"data":{"extensions":2},"extensions":{"a":[1,{"b":2}]}}', ['extensions'])).toBe(rest);
  expect(indent('{"extensions":{"a":[1,{"b":2}]},"data":{"extensions":2}}', ['extensions'])).toBe(rest);
  expect(indent('{"extensions":1}', ['extensions'])).toBe('{}');
});

test('a path leads to its value', () => {
  const text = indent('{"errors":[{"a":1}],"data":{"list":[{"a":"b"},{"a":{"c":[1,2]}}]}}');
  expect(text.slice(placeOf(text, ['data', 'list', 1, 'a', 'c', 1]))).toMatch(/^2\n/);
  expect(text.slice(placeOf(text, ['data', 'list', 0, 'a']))).toMatch(/^"b"/);
  expect(placeOf(text, ['data', 'nothing'])).toBeUndefined();
});

test('what has no room is left out and says so: the rest of a long string, and what comes after enough', () => {
  const room = { charsMax: 60, stringCharsMax: 4 };
  expect(indent('{"a":"1234","b":"12345"}', [], room)).toBe(
    '{\n  "a": "1234",\n  "b": "1234… and 1 characters more"\n}',
  );
  expect(indent('["abc\\u00e9d"]', [], room)).toBe('[\n  "abc… and 7 characters more"\n]');
  expect(indent(JSON.stringify(Array(50).fill(1)), [], room)).toMatch(/^\[\n {2}1,\n[\s\d,]+…$/);
});

test('a string of many megabytes is one token', () => {
  const long = JSON.stringify({ data: 'x'.repeat(20_000_000) });
  expect(indent(long, [], { charsMax: 100, stringCharsMax: 10 })).toContain('19999990 characters more');
});
