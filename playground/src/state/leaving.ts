//! Records that a page has no time left to write. A transaction that is begun while the page goes may never be carried
//! out; localStorage is written at once. The next page takes over what is left there.

import type { Stored, StoreName } from './store';

const prefixOf = (name: StoreName) => `unwritten.${name}.`;

/** Leaves a record. Where the browser has no room for it, what was written before is what stays. */
export function leave<T extends Stored>(name: StoreName, record: T): void {
  try {
    localStorage.setItem(prefixOf(name) + record.id, JSON.stringify(record));
  } catch {
    // Full, or a browser that keeps nothing. The transaction that is begun as well may still be carried out.
  }
}

/** What pages left that are gone. It stays until it is settled. */
export function left<T extends Stored>(name: StoreName): T[] {
  try {
    const prefix = prefixOf(name);
    return Object.keys(localStorage)
      .filter(key => key.startsWith(prefix))
      .map(key => JSON.parse(localStorage.getItem(key) as string) as T);
  } catch {
    return [];
  }
}

/** The record is written: nothing is left of it. */
export function settle(name: StoreName, id: string): void {
  try {
    localStorage.removeItem(prefixOf(name) + id);
  } catch {
    // A browser that keeps nothing has nothing to settle.
  }
}

/** Calls `work` when the page may be about to go: nothing that it begins is sure to end. */
export function whenLeaving(work: () => void): void {
  if (typeof addEventListener === 'undefined') return;
  addEventListener('pagehide', work);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') work();
  });
}
