//! The pages, in the order of the rail. Only those that work are here.

import type { ComponentType } from 'preact';

export interface Page {
  id: string;
  name: string;
  /** A path of 20 by 20. */
  icon: string;
  load(): Promise<{ default: ComponentType }>;
}

export const PAGES: Page[] = [
  { id: 'query', name: 'Query', icon: 'M5 5l5 5-5 5M11 15h5', load: () => import('./query/Query') },
  {
    id: 'schema',
    name: 'Schema',
    icon: 'M4 4h5v4H4zM12 12h5v4h-5zM6.5 8v6H12',
    load: () => import('./schema/Schema'),
  },
  { id: 'data', name: 'Data', icon: 'M3 4h14v12H3zM3 8h14M3 12h14M8 4v12', load: () => import('./data/Data') },
  {
    id: 'indexes',
    name: 'Indexes',
    icon: 'M4 5h12M4 9h8M4 13h10M4 17h5',
    load: () => import('./indexes/Indexes'),
  },
];
