//! Operations kept under a name.

import { signal } from '@preact/signals';
import { all, announce, newId, onChange, put, remove } from './store';

export interface Saved {
  id: string;
  name: string;
  query: string;
  variables: string;
  at: number;
}

export const saved = signal<Saved[]>([]);

export async function loadSaved(): Promise<void> {
  await read();
  onChange(name => {
    if (name === 'saved') void read();
  });
}

async function read() {
  saved.value = (await all<Saved>('saved')).toSorted((a, b) => a.name.localeCompare(b.name));
}

/** Keeps an operation, under the id that it has or a new one. */
export async function save(operation: Omit<Saved, 'id' | 'at'>, id = newId()): Promise<Saved> {
  const entry: Saved = { ...operation, id, at: Date.now() };
  await put('saved', entry);
  await read();
  announce('saved');
  return entry;
}

export async function forget(id: string): Promise<void> {
  await remove('saved', id);
  await read();
  announce('saved');
}
