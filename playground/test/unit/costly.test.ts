import { expect, test } from 'vitest';
import { millis, nameOf, summary, wanted } from '../../src/pages/indexes/costly';
import { folded } from '../../src/ui/Sparkline';

const cost = (document: string, operationName: string | null = null) => ({
  document,
  operationName,
  cut: false,
  mutation: false,
  calls: '1204',
  failures: '0',
  totalMicros: '2000000',
  p50Micros: '812',
  p99Micros: '12543',
  longestMicros: '20000',
});

test('an operation is named as it names itself, else by what it asks for', () => {
  expect(nameOf(cost('query Page { a } query Other { b }', 'Other'))).toBe('Other');
  expect(nameOf(cost('query Page { a }'))).toBe('Page');
  expect(nameOf(cost('{ customers { totalCount } n: orders { totalCount } ...F } fragment F on Query { a }'))).toBe(
    'customers, orders, F',
  );
});

test('a document that is cut is named by its beginning', () => {
  expect(nameOf(cost('query Long { field field', 'Long'))).toBe('Long');
  expect(nameOf(cost(`{ ${'field '.repeat(50)}`))).toBe('{ field field field field field field fi …');
  expect(wanted(cost('query Long($a: Int!) { field field'))).toEqual([]);
});

test('the variables that have to be given are known', () => {
  const document = 'query A($a: Int!, $b: Int! = 1, $c: Int) { a } query B($d: [ID!]!) { b }';
  expect(wanted(cost(document))).toEqual(['$a']);
  expect(wanted(cost(document, 'B'))).toEqual(['$d']);
});

test('what runs took is said in a line', () => {
  expect(summary(cost('{ a }'), String)).toBe('1204 runs, half within 0.812 ms, 99 % within 12.5 ms');
  expect(summary({ ...cost('{ a }'), failures: '3' }, String)).toMatch(/, 3 failed$/);
  expect(summary({ ...cost('{ a }'), calls: '1' }, String)).toBe('1 run');
  expect(summary({ ...cost('{ a }'), calls: '1', failures: '1' }, String)).toBe('1 run, failed');
});

test('times have three digits that count', () => {
  expect(['7', '812', '12543', '999400', '2000000'].map(millis)).toEqual([
    '0.007 ms',
    '0.812 ms',
    '12.5 ms',
    '999 ms',
    '2 s',
  ]);
});

test('an hour is shown in a few bars, and none of it is lost', () => {
  const hour = Array.from({ length: 60 }, (_, minute) => (minute === 59 ? 4 : 1));
  const bars = folded(hour);
  expect(bars.length).toBe(20);
  expect([bars[0], bars[19]]).toEqual([3, 6]);
  expect(folded([])).toEqual([]);
  expect(folded([1, 2, 3], 2)).toEqual([3, 3]);
});
