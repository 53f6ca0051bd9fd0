//! Running an operation: one at a time, cancellable, recorded. What came of it belongs to its tab.

import { signal } from '@preact/signals';
import { type GraphQLFault, isCancelled, messageOf } from '../../api/errors';
import { execute, type PlanNode, type Reply } from '../../api/http';
import { record } from '../../state/history';
import { activeTab, type Tab, titleOf } from '../../state/tabs';
import { headersOf, parseHeaders } from './headers';
import { type Meant, operationAt } from './operation';

export interface Plan {
  nodes?: PlanNode | PlanNode[];
  measured: boolean;
  faults?: GraphQLFault[];
}

export interface Outcome {
  reply?: Reply;
  /** Why there is no answer. */
  problem?: string;
  plan?: Plan;
}

/** By tab. Answers are large, so only those of open tabs are kept, in memory. */
export const outcomes = signal<ReadonlyMap<string, Outcome>>(new Map());
export const running = signal<AbortController | undefined>(undefined);

export function keep(tab: string, outcome: Outcome): void {
  outcomes.value = new Map(outcomes.value).set(tab, outcome);
}

export function forget(tab: string): void {
  const left = new Map(outcomes.value);
  left.delete(tab);
  outcomes.value = left;
}

export const cancel = (): void => running.value?.abort();

/** What is wrong before anything is sent. */
function obstacle(tab: Tab, meant: Meant): string | undefined {
  if (tab.query.trim() === '') return 'There is no operation. Write one, or press Ctrl-Space to see what there is.';
  if (meant.kind === 'subscription') return 'This server has no subscriptions yet. Run a query or a mutation.';
  const headers = parseHeaders(headersOf(tab.id));
  if (headers.fault) return headers.fault;
  if (tab.variables.trim() === '') return undefined;
  try {
    const variables = JSON.parse(tab.variables);
    if (variables === null || typeof variables !== 'object' || Array.isArray(variables))
      throw new Error('they are no object');
  } catch (error) {
    return `The variables are no JSON object: ${messageOf(error)}.`;
  }
  return undefined;
}

async function alone(tab: Tab, work: (signal: AbortSignal) => Promise<Outcome>): Promise<void> {
  cancel();
  const controller = new AbortController();
  running.value = controller;
  const before = outcomes.value.get(tab.id);
  try {
    keep(tab.id, await work(controller.signal));
  } catch (error) {
    if (running.value === controller) {
      keep(tab.id, isCancelled(error) ? { ...before, problem: 'Cancelled.' } : { problem: messageOf(error) });
    }
  } finally {
    if (running.value === controller) running.value = undefined;
  }
}

/** Runs the operation under the cursor. */
export async function run(cursor: number): Promise<void> {
  const tab = activeTab();
  if (!tab) return;
  const meant = operationAt(tab.query, cursor);
  const problem = obstacle(tab, meant);
  if (problem) return keep(tab.id, { problem });
  await alone(tab, async signal => {
    const reply = await send(tab, meant, { signal });
    const fault = reply.body.errors?.[0];
    await record({
      name: meant.name ?? titleOf(tab.query),
      query: tab.query,
      variables: tab.variables,
      millis: reply.millis,
      ok: fault === undefined,
      fault: fault?.extensions?.code ?? fault?.message,
    });
    return { reply };
  });
}

const send = (tab: Tab, meant: Meant, options: Parameters<typeof execute>[1]) =>
  execute(
    {
      query: tab.query,
      operationName: meant.name,
      variables: tab.variables,
      headers: parseHeaders(headersOf(tab.id)).headers,
    },
    options,
  );

/** Asks for the plan of the operation under the cursor: estimated, or measured by running it. */
export async function explain(cursor: number, measured: boolean): Promise<void> {
  const tab = activeTab();
  if (!tab) return;
  const meant = operationAt(tab.query, cursor);
  const problem = obstacle(tab, meant);
  if (problem) return keep(tab.id, { problem });
  await alone(tab, async signal => {
    const before = outcomes.value.get(tab.id);
    const reply = await send(tab, meant, { signal, explain: measured ? 'analyze' : 'plan' });
    const plan = { nodes: reply.body.extensions?.plan, measured, faults: reply.body.errors };
    // An estimate runs nothing, so what was answered before still stands.
    return { reply: measured || plan.faults ? reply : before?.reply, plan };
  });
}
