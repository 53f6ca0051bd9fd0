//! Records of a file into a collection: batches, each one transaction; where a batch is refused, its records one by one.

import { execute } from '../../api/http';
import type { Collection, Input } from '../../collection';
import { fieldFor, linkOf } from './related';
import { isJson, read } from './values';

/** A transaction of this many records is quick, and a refused one does not cost much to repeat. */
export const BATCH = 100;
/** More are in the file than anybody reads. */
export const REJECTS_MAX = 200;

/** Which field each column of the file goes into; '' leaves it out. */
export type Mapping = Record<string, string>;

export interface Reject {
  /** Its place in the file, from 1. */
  record: number;
  reason: string;
}

export interface Progress {
  done: number;
  imported: number;
  rejects: Reject[];
}

/** The fields that columns are named after. */
export function guessMapping(columns: readonly string[], inputs: readonly Input[]): Mapping {
  return Object.fromEntries(columns.map(column => [column, fieldFor(column, inputs)?.name ?? '']));
}

/** A record of a file as the API takes it. Fails with a sentence. */
export function toInput(
  row: Record<string, unknown>,
  mapping: Mapping,
  inputs: readonly Input[],
): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const [column, name] of Object.entries(mapping)) {
    const input = inputs.find(one => one.name === name);
    const value = row[column];
    if (!input || value === undefined) continue;
    const taken = input.kind === 'relation' ? linkOf(column, input, value) : plainOf(input, value);
    if (taken !== undefined) data[name] = taken;
  }
  const missing = inputs.find(input => input.required && !(input.name in data));
  if (missing) throw new Error(`"${missing.name}" must be given.`);
  return data;
}

const plainOf = (input: Input, value: unknown): unknown =>
  typeof value === 'string' && (isJson(input) || !['String', 'ID'].includes(input.type)) ? read(input, value) : value;

interface Item {
  record: number;
  data: Record<string, unknown>;
}

/** Imports rows. `report` is called after each batch; `signal` ends it between two. */
export async function importRows(
  collection: Collection,
  rows: readonly Record<string, unknown>[],
  mapping: Mapping,
  signal: AbortSignal,
  report: (progress: Progress) => void,
): Promise<Progress> {
  const progress: Progress = { done: 0, imported: 0, rejects: [] };
  const reject = (record: number, reason: string) => {
    if (progress.rejects.length < REJECTS_MAX) progress.rejects.push({ record, reason });
  };
  for (let at = 0; at < rows.length && !signal.aborted; at += BATCH) {
    const batch = rows.slice(at, at + BATCH);
    const items: Item[] = [];
    batch.forEach((row, offset) => {
      try {
        items.push({ record: at + offset + 1, data: toInput(row, mapping, collection.create) });
      } catch (error) {
        reject(at + offset + 1, error instanceof Error ? error.message : String(error));
      }
    });
    progress.imported += await write(collection, items, reject);
    progress.done += batch.length;
    report({ ...progress });
  }
  return progress;
}

async function write(
  collection: Collection,
  items: readonly Item[],
  reject: (record: number, reason: string) => void,
): Promise<number> {
  if (items.length === 0) return 0;
  const fault = await create(collection, items);
  if (!fault) return items.length;
  const [only] = items;
  if (items.length === 1 && only) {
    reject(only.record, fault);
    return 0;
  }
  // Halves instead of singles: one bad record in a hundred costs a dozen transactions more, not a hundred.
  const half = Math.ceil(items.length / 2);
  return (await write(collection, items.slice(0, half), reject)) + (await write(collection, items.slice(half), reject));
}

async function create(collection: Collection, items: readonly Item[]): Promise<string | undefined> {
  const { create: one, createMany: many } = collection.writes;
  const [query, data] = many
    ? [
        `mutation ($data: [${collection.name}Create!]!) { ${many}(data: $data) { affectedCount } }`,
        items.map(item => item.data),
      ]
    : [`mutation ($data: ${collection.name}Create!) { ${one}(data: $data) { commit { version } } }`, items[0]?.data];
  if (!many && items.length > 1) return 'one by one';
  const reply = await execute({ query, variables: JSON.stringify({ data }) });
  return reply.body.errors?.[0]?.message;
}
