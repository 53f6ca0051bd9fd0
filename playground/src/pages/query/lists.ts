//! The lists of an answer that a table can show.

import type { Row } from '../../ui/Grid';

export interface List {
  /** Where it stands: "customers.nodes". */
  path: string;
  rows: Row[];
}

/** Deeper lists are relations of rows; the table shows them as counts. */
const DEPTH_MAX = 6;

/** Lists of objects, those of connections as their nodes, from the top. */
export function listsOf(data: unknown): List[] {
  const found: List[] = [];
  const walk = (value: unknown, path: string[]) => {
    if (path.length > DEPTH_MAX || value === null || typeof value !== 'object') return;
    if (Array.isArray(value)) {
      if (value.length > 0 && value.every(one => one !== null && typeof one === 'object')) {
        const rows = value.map(one =>
          path.at(-1) === 'edges' && 'node' in one ? { cursor: one.cursor, ...one.node } : one,
        );
        found.push({ path: path.join('.'), rows });
      }
      return;
    }
    for (const [name, inner] of Object.entries(value)) walk(inner, [...path, name]);
  };
  walk(data, []);
  if (found.length === 0) {
    for (const [name, value] of Object.entries(data ?? {})) {
      if (value !== null && typeof value === 'object' && !Array.isArray(value))
        found.push({ path: name, rows: [value as Row] });
    }
  }
  return found;
}
