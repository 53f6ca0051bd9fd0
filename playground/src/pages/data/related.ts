//! Related records in a file: named by one of their keys, as other databases export them.

import type { Input } from '../../collection';
import { read } from './values';

const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The field that a column is named after, but for case and separators: `album_id` is for `album` too. */
export function fieldFor(column: string, inputs: readonly Input[]): Input | undefined {
  const wanted = plain(column);
  const relations = inputs.filter(input => input.kind === 'relation');
  return (
    inputs.find(input => plain(input.name) === wanted) ??
    relations.find(input => `${plain(input.name)}id` === wanted) ??
    relations.find(input => !input.many && input.keys.some(key => key.name !== 'id' && plain(key.name) === wanted))
  );
}

/**
 * The value of a column as the API takes a relation. An object with `connect` or `create` is that already; any other
 * holds a key; a number or a text is the key that the column is named after, else the first declared one that it fits.
 * Nothing where no record is named. Fails with a sentence.
 */
export function linkOf(column: string, input: Input, value: unknown): unknown {
  const given = typeof value === 'string' && /^\s*[[{]/.test(value) ? read(input, value) : value;
  if (given === null || given === '') return undefined;
  if (isObject(given) && ('connect' in given || 'create' in given)) return given;
  const all = (Array.isArray(given) ? given : [given]).map(one => keyOf(column, input, one));
  if (!input.many && all.length !== 1) throw new Error(`${input.name} is one record: ${all.length} are named.`);
  return { connect: input.many ? all : all[0] };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function keyOf(column: string, input: Input, value: unknown): unknown {
  if (isObject(value)) return value;
  const single = input.keys.filter(key => key.kind === 'scalar');
  const declared = single.filter(key => key.name !== 'id');
  const named = declared.find(key => plain(key.name) === plain(column));
  const key = named ?? declared.find(one => canBe(one, value)) ?? single.find(one => one.name === 'id');
  if (!key) throw new Error(`${input.name} has no key of one field: name its record as an object.`);
  return { [key.name]: typeof value === 'string' ? read(key, value) : value };
}

const NUMBERS = new Set(['Int', 'Float', 'BigInt', 'Decimal']);

const canBe = (key: Input, value: unknown): boolean =>
  NUMBERS.has(key.type) ? Number.isFinite(Number(value)) : typeof value === 'string';
