//! What the page keeps in the browser: records by id in IndexedDB. Where a browser keeps nothing, memory does, and the
//! page says so. A write is one transaction, so two windows never tear each other's records.

const NAME = 'vivarium';
const VERSION = 1;
export const STORES = ['tabs', 'history', 'saved', 'drafts'] as const;
export type StoreName = (typeof STORES)[number];

export interface Stored {
  id: string;
}

let opened: Promise<IDBDatabase> | undefined;
const memory = new Map<StoreName, Map<string, Stored>>(STORES.map(name => [name, new Map()]));
let inMemory = false;

/** Whether the browser refuses to keep anything: what is written is lost with the window. */
export const keepsNothing = () => inMemory;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      for (const name of STORES) {
        if (!request.result.objectStoreNames.contains(name)) request.result.createObjectStore(name, { keyPath: 'id' });
      }
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('another window holds an older database'));
  });
  return opened;
}

async function within<T>(
  name: StoreName,
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T> | undefined,
): Promise<T | undefined> {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(name, mode);
    const request = work(transaction.objectStore(name));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });
}

async function orMemory<T>(kept: () => Promise<T>, fallback: () => T): Promise<T> {
  if (inMemory || typeof indexedDB === 'undefined') {
    inMemory = true;
    return fallback();
  }
  try {
    return await kept();
  } catch {
    inMemory = true;
    return fallback();
  }
}

const shelf = (name: StoreName) => memory.get(name) as Map<string, Stored>;

/** All records of a store, in no order. */
export const all = <T extends Stored>(name: StoreName): Promise<T[]> =>
  orMemory(
    async () => (await within<T[]>(name, 'readonly', store => store.getAll())) ?? [],
    () => [...shelf(name).values()] as T[],
  );

export const put = <T extends Stored>(name: StoreName, record: T): Promise<void> =>
  orMemory(
    async () => void (await within(name, 'readwrite', store => store.put(record))),
    () => void shelf(name).set(record.id, record),
  );

export const remove = (name: StoreName, id: string): Promise<void> =>
  orMemory(
    async () => void (await within(name, 'readwrite', store => store.delete(id))),
    () => void shelf(name).delete(id),
  );

/** Writes what `next` makes of the present record, in one transaction; nothing where it makes nothing. Answers that. */
export const update = <T extends Stored>(
  name: StoreName,
  id: string,
  next: (present: T | undefined) => T | undefined,
): Promise<T | undefined> =>
  orMemory(
    async () => {
      let written: T | undefined;
      await within(name, 'readwrite', store => {
        const present = store.get(id) as IDBRequest<T | undefined>;
        present.onsuccess = () => {
          written = next(present.result);
          if (written) store.put(written);
        };
        return undefined;
      });
      return written;
    },
    () => {
      const written = next(shelf(name).get(id) as T | undefined);
      if (written) shelf(name).set(id, written);
      return written;
    },
  );

/** A new id: random, so that two windows never choose the same. */
export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(8)), byte => byte.toString(16).padStart(2, '0')).join('');

const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(NAME);

/** Tells the other windows that a store changed. */
export const announce = (name: StoreName) => channel?.postMessage(name);

/** Calls `listener` when another window changed a store. */
export const onChange = (listener: (name: StoreName) => void) =>
  channel?.addEventListener('message', event => listener(event.data as StoreName));
