//! What was changed and is not committed: it becomes one mutation, a root field each, so that all of it happens or none.

import { signal } from '@preact/signals';
import { execute } from '../../api/http';
import type { Collection } from '../../collection';
import type { Row } from '../../ui/Grid';

interface Of {
  collection: Collection;
  id: string;
}

export type Edit = Of &
  (
    | { kind: 'update'; version: string; before: Row; data: Record<string, unknown> }
    | { kind: 'create'; data: Record<string, unknown> }
    | { kind: 'delete'; version: string; before: Row }
  );

/** One mutation is one transaction; larger ones belong into an import. */
export const EDITS_MAX = 20;

export const edits = signal<readonly Edit[]>([]);
/** Why the server refused edits, and the place of the one that it is about. */
export interface Refusal {
  at?: number;
  code?: string;
  message: string;
}
export const refused = signal<Refusal | undefined>(undefined);

/** Takes over an edit; one of the same record is replaced. Answers whether there was room. */
export function put(edit: Edit): boolean {
  const others = edits.value.filter(one => one.id !== edit.id);
  if (others.length >= EDITS_MAX) return false;
  const isNothing = edit.kind === 'update' && Object.keys(edit.data).length === 0;
  edits.value = isNothing ? others : [...others, edit];
  refused.value = undefined;
  return true;
}

export function drop(id?: string): void {
  edits.value = id === undefined ? [] : edits.value.filter(one => one.id !== id);
  refused.value = undefined;
}

export interface Mutation {
  query: string;
  variables: Record<string, unknown>;
}

const COMMIT = 'commit { version }';

/** The edits as one mutation, whatever collections they are of. `answer` is what it selects of those that write. */
export function mutationOf(list: readonly Edit[], answer = COMMIT): Mutation {
  const declared: string[] = [];
  const fields: string[] = [];
  const variables: Record<string, unknown> = {};
  const variable = (name: string, type: string, value: unknown) => {
    declared.push(`$${name}: ${type}`);
    variables[name] = value;
    return `$${name}`;
  };
  list.forEach((edit, at) => {
    const { writes, name } = edit.collection;
    if (edit.kind === 'create') {
      fields.push(
        `e${at}: ${writes.create}(data: ${variable(`data${at}`, `${name}Create!`, edit.data)}) { ${answer} }`,
      );
      return;
    }
    const by = `by: { id: ${variable(`id${at}`, 'ID!', edit.id)} }, ifVersion: ${variable(`version${at}`, 'CommitVersion', edit.version)}`;
    if (edit.kind === 'delete') fields.push(`e${at}: ${writes.delete}(${by}) { deletedId }`);
    else
      fields.push(
        `e${at}: ${writes.update}(${by}, data: ${variable(`data${at}`, `${name}Update`, edit.data)}) { ${answer} }`,
      );
  });
  return { query: `mutation Edit(${declared.join(', ')}) {\n  ${fields.join('\n  ')}\n}`, variables };
}

/** Sends edits as one transaction. Answers its data, or why the server refused it: then nothing was written. */
export async function send(
  list: readonly Edit[],
  answer?: string,
  // biome-ignore lint/suspicious/noExplicitAny: the shape of data is the answer's.
): Promise<{ data?: any; refusal?: Refusal }> {
  const { query, variables } = mutationOf(list, answer);
  const { body } = await execute({ query, variables: JSON.stringify(variables) });
  const fault = body.errors?.[0];
  if (!fault) return { data: body.data };
  const place = /^e(\d+)$/.exec(String(fault.path?.[0] ?? ''))?.[1];
  return {
    refusal: {
      at: place === undefined ? undefined : Number(place),
      code: fault.extensions?.code,
      message: fault.message,
    },
  };
}

/** Commits all edits. Those that were refused stay, with the reason. */
export async function commit(): Promise<boolean> {
  const { refusal } = await send(edits.value);
  if (refusal) refused.value = refusal;
  else drop();
  return refusal === undefined;
}
