//! What was run, newest first, the last two hundred.

import { signal } from '@preact/signals';
import { all, announce, newId, onChange, put, remove } from './store';

export interface Run {
  id: string;
  at: number;
  name: string;
  query: string;
  variables: string;
  millis: number;
  ok: boolean;
  /** The first error's code or message. */
  fault?: string;
}

/** Enough for a week of work, small enough to read at once. */
export const RUNS_MAX = 200;

export const runs = signal<Run[]>([]);

export async function loadHistory(): Promise<void> {
  await read();
  onChange(name => {
    if (name === 'history') void read();
  });
}

async function read() {
  runs.value = (await all<Run>('history')).toSorted((a, b) => b.at - a.at);
}

export async function record(run: Omit<Run, 'id' | 'at'>): Promise<void> {
  const entry: Run = { ...run, id: newId(), at: Date.now() };
  const next = [entry, ...runs.value];
  runs.value = next.slice(0, RUNS_MAX);
  await put('history', entry);
  for (const old of next.slice(RUNS_MAX)) await remove('history', old.id);
  announce('history');
}

export async function forgetRuns(): Promise<void> {
  const old = runs.value;
  runs.value = [];
  for (const run of old) await remove('history', run.id);
  announce('history');
}
