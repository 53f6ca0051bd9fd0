//! Reading a collection page by page. Nothing is read without a limit, and no large scan without being asked for.

import { signal } from '@preact/signals';
import { isCancelled, messageOf } from '../../api/errors';
import { type Extensions, execute, warningsOf } from '../../api/http';
import type { Collection } from '../../collection';
import { rowsOf } from '../../plan';
import { collections, health, schema } from '../../state/server';
import type { Row } from '../../ui/Grid';
import { filterFault, pageQuery, type Sort, selectionOf } from './read';

/** Databases with fewer documents than this are scanned without a question, and the page says that it happened. */
const SCAN_DOCUMENTS_MAX = 5_000;

export interface View {
  collection: string;
  filter: string;
  sort?: Sort;
}

export interface Found {
  /** The collection that the rows are of. */
  of: string;
  rows: Row[];
  cursor?: string;
  more: boolean;
  version?: string;
}

export const found = signal<Found>({ of: '', rows: [], more: false });
export const reading = signal(false);
export const trouble = signal('');
/** What the server says of how this is read: its warning, and the index that serves it. */
export const served = signal<{ warning?: string; index?: string }>({});
/** The view that waits for a yes, because it reads everything. */
export const waiting = signal<View | undefined>(undefined);

let turn = 0;
let current: { view: View; query: string; collection: Collection } | undefined;
let controller: AbortController | undefined;

/** Shows a view from its beginning. */
export async function browse(view: View, agreed = false): Promise<void> {
  const collection = collections.value.find(one => one.name === view.collection);
  if (!collection || !schema.value) return;
  turn += 1;
  const mine = turn;
  controller?.abort();
  controller = new AbortController();
  waiting.value = undefined;
  trouble.value = filterFault(view.filter) ?? '';
  if (trouble.value) return;
  const selection = selectionOf(schema.value, collection, collections.value);
  const query = pageQuery(collection, selection, view.filter, view.sort);
  current = { view, query, collection };
  try {
    const { body } = await execute({ query }, { explain: 'plan', signal: controller.signal });
    if (mine !== turn) return;
    if (body.errors) {
      trouble.value = body.errors.map(error => error.message).join(' ');
      return;
    }
    served.value = readPlan(body.extensions?.plan);
    if (served.value.warning && !agreed && Number(health.value?.status.documents ?? 0) > SCAN_DOCUMENTS_MAX) {
      waiting.value = view;
      found.value = { of: view.collection, rows: [], more: false };
      return;
    }
    found.value = { of: view.collection, rows: [], more: true };
    await next(mine);
  } catch (error) {
    if (mine === turn) trouble.value = messageOf(error);
  }
}

/** The warning of a plan, and the index that its list is read by. */
export function readPlan(plan: Extensions['plan']): { warning?: string; index?: string } {
  const rows = rowsOf(plan);
  const warning = rows.find(row => row.node.warning)?.node.warning ?? undefined;
  const list = rows.find(row => row.node.op === 'IndexRange');
  return { warning, index: list?.depth === 2 ? (list.node.index ?? undefined) : undefined };
}

async function next(mine: number): Promise<void> {
  if (!current) return;
  const { query, collection } = current;
  const { cursor } = found.value;
  reading.value = true;
  try {
    const reply = await execute(
      { query, variables: JSON.stringify({ after: cursor ?? null }) },
      { signal: controller?.signal },
    );
    if (mine !== turn) return;
    const page = reply.body.data?.[collection.plural];
    const fault = reply.body.errors?.[0];
    if (!page) {
      trouble.value = fault?.message ?? 'The answer is empty.';
      found.value = { ...found.value, more: false };
      return;
    }
    const warning = warningsOf(reply.body.extensions)[0];
    if (warning) served.value = { ...served.value, warning };
    found.value = {
      of: collection.name,
      // A row of before may have been renewed meanwhile.
      rows: [...found.value.rows, ...page.nodes],
      cursor: page.pageInfo.endCursor ?? undefined,
      more: page.pageInfo.hasNextPage,
      version: reply.version,
    };
  } catch (error) {
    if (mine === turn && !isCancelled(error)) {
      trouble.value = messageOf(error);
      found.value = { ...found.value, more: false };
    }
  } finally {
    if (mine === turn) reading.value = false;
  }
}

/** Reads the next page, if there is one. */
export function more(): void {
  if (found.value.more && !reading.value && found.value.cursor) void next(turn);
}

/** Shows a record as it is now, where it stands. */
export function renew(of: string, row: Row): void {
  if (found.value.of !== of) return;
  found.value = { ...found.value, rows: found.value.rows.map(one => (one.id === row.id ? row : one)) };
}

/** Reads the view anew. */
export const again = (): void => {
  if (current) void browse(current.view, true);
};
