//! Pages are hash routes: the server never sees where one is, nor a filter.

import { signal } from '@preact/signals';

export interface Route {
  page: string;
  /** What follows the page: `#/data/Customer` has "Customer". */
  rest: string;
  parameters: URLSearchParams;
}

export function parse(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [page = '', ...rest] = path.split('/');
  let decoded = rest.join('/');
  try {
    decoded = decodeURIComponent(decoded);
  } catch {
    // A link that was cut in the middle of an escape: what stands there is as good as any.
  }
  return { page, rest: decoded, parameters: new URLSearchParams(search) };
}

export const route = signal<Route>(parse(typeof location === 'undefined' ? '' : location.hash));

export const href = (page: string, rest = '', parameters?: Record<string, string>): string => {
  const search = new URLSearchParams(parameters).toString();
  return `#/${page}${rest ? `/${encodeURIComponent(rest)}` : ''}${search ? `?${search}` : ''}`;
};

export const go = (page: string, rest = '', parameters?: Record<string, string>): void => {
  location.hash = href(page, rest, parameters);
};

/** Changes the address without a step in the browser's history. */
export function replace(page: string, rest = '', parameters?: Record<string, string>): void {
  history.replaceState(null, '', href(page, rest, parameters));
  route.value = parse(location.hash);
}

export const followHash = (): void =>
  addEventListener('hashchange', () => {
    route.value = parse(location.hash);
  });
