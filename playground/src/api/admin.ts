//! The control plane, typed: one function for each thing that a page asks of it.

import { AdminFault, type GraphQLFault, NoAnswer, StrangeAnswer } from './errors';

async function admin<T>(query: string, variables?: Record<string, unknown>): Promise<T> {
  let response: Response;
  let raw: string;
  try {
    response = await fetch('/admin/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    raw = await response.text();
  } catch (error) {
    throw new NoAnswer(error);
  }
  let answer: { data?: T; errors?: GraphQLFault[] };
  try {
    answer = JSON.parse(raw);
  } catch {
    throw new StrangeAnswer(response.status, raw);
  }
  if (answer.errors?.length || !answer.data)
    throw new AdminFault(answer.errors ?? [{ message: 'The answer is empty.' }]);
  return answer.data;
}

export interface Health {
  status: { release: string; node: string; role: string; voters: string[]; learners: string[]; documents: string };
  schema: { version: number };
}

/** What the top bar shows. */
export const health = () =>
  admin<Health>('{ status { release node role voters learners documents } schema { version } }');

export type Safety = 'SAFE' | 'NEEDS_BACKFILL' | 'BREAKING';

export interface Change {
  coordinate: string;
  description: string;
  safety: Safety;
}

export interface SchemaFault {
  message: string;
  line: number;
  column: number;
  rule: string;
}

export interface DeclaredSchema {
  sdl: string;
  version: number;
}

export interface PastSchema extends DeclaredSchema {
  appliedMicros: string;
}

/** The schema that is applied. */
export const declaredSchema = async () =>
  (await admin<{ schema: DeclaredSchema }>('{ schema { sdl version } }')).schema;

/** Schemas applied so far, newest first. */
export const schemaHistory = async () =>
  (await admin<{ schemaHistory: PastSchema[] }>('{ schemaHistory(limit: 100) { version appliedMicros sdl } }'))
    .schemaHistory;

export type Difference =
  | { __typename: 'SchemaDiff'; changes: Change[] }
  | { __typename: 'InvalidSchema'; errors: SchemaFault[] };

/** What applying a schema would change. */
export const diffSchema = async (sdl: string) =>
  (
    await admin<{ diffSchema: Difference }>(
      `query ($sdl: String!) { diffSchema(sdl: $sdl) { __typename
        ... on SchemaDiff { changes { coordinate description safety } }
        ... on InvalidSchema { errors { message line column rule } } } }`,
      { sdl },
    )
  ).diffSchema;

export type Applied =
  | { __typename: 'AppliedSchema'; version: number; backfilled: string; changes: Change[] }
  | { __typename: 'InvalidSchema'; errors: SchemaFault[] }
  | { __typename: 'RefusedChange'; reason: string }
  | { __typename: 'VersionMismatch'; expected: number; found: number };

export interface ApplyOptions {
  dryRun: boolean;
  force: boolean;
  expectedVersion: number;
}

/** Applies a schema, or tries how that would go. */
export const applySchema = async (sdl: string, options: ApplyOptions) =>
  (
    await admin<{ applySchema: Applied }>(
      `mutation ($sdl: String!, $dryRun: Boolean!, $force: Boolean!, $expectedVersion: Int) {
        applySchema(sdl: $sdl, dryRun: $dryRun, force: $force, expectedVersion: $expectedVersion) { __typename
          ... on AppliedSchema { version backfilled changes { coordinate description safety } }
          ... on InvalidSchema { errors { message line column rule } }
          ... on RefusedChange { reason }
          ... on VersionMismatch { expected found } } }`,
      { sdl, ...options },
    )
  ).applySchema;

export interface SchemaProgress {
  collection: string;
  step: 'CHECK' | 'FILL';
  records: string;
  of: { rows: number; whole: boolean };
}

/** How far the schema change is that the node makes; nothing when it makes none. */
export const schemaProgress = async () =>
  (
    await admin<{ schemaProgress: SchemaProgress | null }>(
      '{ schemaProgress { collection step records of { rows whole } } }',
    )
  ).schemaProgress ?? undefined;

export interface Index {
  collection: string;
  name: string;
  fields: string[];
  unique: boolean;
  ready: boolean;
  relation: boolean;
}

/** All indexes, those of relations included. */
export const indexes = async () =>
  (await admin<{ indexes: Index[] }>('{ indexes { collection name fields unique ready relation } }')).indexes;

/** What was counted of a collection or an index: all of it, or the first hundred thousand rows. */
export interface Size {
  rows: number;
  whole: boolean;
  keyBytes: string;
}

/** How often operations have read an index on the node that answers, since it started. */
export interface Usage {
  operations: string;
  lastMicros: string | null;
  /** In each of the last 60 minutes, the newest last. */
  perMinute: number[];
}

/** How often each index was read, by collection and name. */
export const indexUsages = async () => {
  const query = '{ indexes { collection name usage { operations lastMicros perMinute } } }';
  const { indexes } = await admin<{ indexes: (Pick<Index, 'collection' | 'name'> & { usage: Usage })[] }>(query);
  return new Map(indexes.map(index => [`${index.collection} ${index.name}`, index.usage]));
};

/** How large each index is, by collection and name. The server counts when it is asked. */
export const indexSizes = async () => {
  const query = '{ indexes { collection name size { rows whole keyBytes } } }';
  const { indexes } = await admin<{ indexes: (Pick<Index, 'collection' | 'name'> & { size: Size })[] }>(query);
  return new Map(indexes.map(index => [`${index.collection} ${index.name}`, index.size]));
};

/** What all executions of an operation took the node that answers. */
export interface OperationCost {
  document: string;
  cut: boolean;
  operationName: string | null;
  mutation: boolean;
  calls: string;
  failures: string;
  totalMicros: string;
  p50Micros: string;
  p99Micros: string;
  longestMicros: string;
}

/** The operations that took it the most time since it started. */
export const costliestOperations = async () =>
  (
    await admin<{ costliestOperations: OperationCost[] }>(
      `{ costliestOperations(limit: 50) { document cut operationName mutation calls failures
        totalMicros p50Micros p99Micros longestMicros } }`,
    )
  ).costliestOperations;
