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
];
