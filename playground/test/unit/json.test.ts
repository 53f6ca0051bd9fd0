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
