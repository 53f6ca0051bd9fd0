//! Records that a page has no time left to write. A transaction that is begun while the page goes may never be carried
//! out; a storage is written at once. The next page takes over what is left there.

import type { Stored } from './store';

/** Where records are left: for any page of this browser, or for the next one of this browser tab alone. */
export type Place = 'localStorage' | 'sessionStorage';

/** Records of one kind that are left. */
export class Leavings<T extends Stored> {
  readonly #prefix: string;
  constructor(
    readonly place: Place,
    kind: string,
  ) {
    this.#prefix = `unwritten.${kind}.`;
  }

  /** Leaves a record. Where the browser has no room for it, what was written before is what stays. */
  leave(record: T): void {
    try {
      globalThis[this.place].setItem(this.#prefix + record.id, JSON.stringify(record));
    } catch {
      // Full, or a browser that keeps nothing. A transaction that is begun as well may still be carried out.
    }
  }

  /** What pages left that are gone. It stays until it is settled. */
  left(): T[] {
    try {
      const storage = globalThis[this.place];
      return Object.keys(storage)
        .filter(key => key.startsWith(this.#prefix))
        .map(key => JSON.parse(storage.getItem(key) as string) as T);
    } catch {
      return [];
    }
  }

  /** The record is written: nothing is left of it. */
  settle(id: string): void {
    try {
      globalThis[this.place].removeItem(this.#prefix + id);
    } catch {
      // A browser that keeps nothing has nothing to settle.
    }
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
