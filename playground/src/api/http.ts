//! The data plane over HTTP. Variables travel as text, so that a number keeps all its digits.

import { type GraphQLFault, isCancelled, NoAnswer, StrangeAnswer } from './errors';

/** A step of a plan, as `extensions.plan` has it. */
export interface PlanNode {
  op: string;
  detail: string;
  index?: string | null;
  warning?: string | null;
  estimatedRows?: number | null;
  actualRows?: number | null;
  micros?: number | null;
  children?: PlanNode[];
}

/** What an operation took the server, in milliseconds. */
export interface Timing {
  /** It had met the document before. */
  known: boolean;
  /** Parse, validate, plan. */
  prepare: number;
  /** Wait for what it reads. */
  snapshot: number;
  /** Read, write, commit. */
  execute: number;
  total: number;
}

export interface Cost {
  estimated?: number;
  reads?: number;
  indexScans?: number;
  bytes?: number;
  writes?: number;
}

export interface Extensions {
  cost?: Cost | number;
  warnings?: ({ code: string; message: string } | string)[];
  plan?: PlanNode | PlanNode[];
}

export interface Body {
  // biome-ignore lint/suspicious/noExplicitAny: the shape of data is the operation's.
  data?: any;
  errors?: GraphQLFault[];
  extensions?: Extensions;
}

export interface Reply {
  status: number;
  millis: number;
  bytes: number;
  raw: string;
  body: Body;
  version?: string;
  timing?: Timing;
}

export interface Operation {
  query: string;
  operationName?: string;
  /** A JSON object as text, or nothing. */
  variables?: string;
  headers?: Record<string, string>;
}

export type Explain = 'plan' | 'analyze';

const body = ({ query, operationName, variables }: Operation) =>
  `{"query":${JSON.stringify(query)}${operationName ? `,"operationName":${JSON.stringify(operationName)}` : ''}${
    variables?.trim() ? `,"variables":${variables}` : ''
  }}`;

/** Sends an operation. Fails with `NoAnswer` or `StrangeAnswer`; an answer with errors is an answer. */
export async function execute(
  operation: Operation,
  options: { explain?: Explain; signal?: AbortSignal } = {},
): Promise<Reply> {
  const began = performance.now();
  let response: Response;
  let raw: string;
  try {
    response = await fetch('/graphql', {
      method: 'POST',
      signal: options.signal,
      headers: {
        ...operation.headers,
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json;q=0.9',
        ...(options.explain && { 'x-explain': options.explain }),
      },
      body: body(operation),
    });
    raw = await response.text();
  } catch (error) {
    if (isCancelled(error)) throw error;
    throw new NoAnswer(error);
  }
  const millis = performance.now() - began;
  let parsed: Body;
  try {
    parsed = JSON.parse(raw);
  } catch {
    throw new StrangeAnswer(response.status, raw);
  }
  return {
    status: response.status,
    millis,
    bytes: new Blob([raw]).size,
    raw,
    body: parsed,
    version: response.headers.get('vivarium-version') ?? undefined,
    timing: timingOf(response.headers.get('server-timing')),
  };
}

/** Reads the header Server-Timing. Nothing where it is not there, or another server's. */
export function timingOf(header: string | null): Timing | undefined {
  const parts = new Map<string, string>();
  for (const part of header?.split(',') ?? []) {
    const [name = '', ...attributes] = part.split(';').map(text => text.trim());
    parts.set(name, attributes.join(';'));
  }
  const millis = (name: string) => Number(/dur=([\d.]+)/.exec(parts.get(name) ?? '')?.[1] ?? Number.NaN);
  const [prepare, snapshot, execute, total] = ['prepare', 'snapshot', 'execute', 'total'].map(millis) as [
    number,
    number,
    number,
    number,
  ];
  if (Number.isNaN(prepare + snapshot + execute + total)) return undefined;
  return { known: parts.get('prepare')?.includes('known') ?? false, prepare, snapshot, execute, total };
}

/** What a query's data is; an answer with errors fails with the first one's message. */
// biome-ignore lint/suspicious/noExplicitAny: the shape of data is the operation's.
export async function ask<T = any>(query: string, variables?: unknown, signal?: AbortSignal): Promise<T> {
  const reply = await execute({ query, variables: variables && JSON.stringify(variables) } as Operation, { signal });
  const fault = reply.body.errors?.[0];
  if (fault) throw new Error(fault.message);
  return reply.body.data;
}

/** The server's warnings as sentences, whichever shape they have. */
export const warningsOf = (extensions?: Extensions): string[] =>
  (extensions?.warnings ?? []).map(one => (typeof one === 'string' ? one : one.message));
