//! What stands in for the storages of a browser.

/** A storage as browsers have them: its keys are its properties. */
export class Shelf {
  [key: string]: unknown;
  getItem(key: string) {
    return this[key] ?? null;
  }
  setItem(key: string, value: string) {
    this[key] = value;
  }
  removeItem(key: string) {
    delete this[key];
  }
}
