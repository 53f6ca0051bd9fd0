//! Headers of a tab, one on a line. They live as long as the browser's tab and are never part of a link.

const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;

export interface Headers {
  headers: Record<string, string>;
  /** What is wrong, as a sentence. */
  fault?: string;
}

/** Reads lines of `Name: value`. Empty lines and those that begin with # are left out. */
export function parseHeaders(text: string): Headers {
  const headers: Record<string, string> = {};
  for (const line of text.split('\n').map(one => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim();
    if (colon < 1 || !NAME.test(name)) return { headers, fault: `"${line}" is no header. Write Name: value.` };
    headers[name.toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { headers };
}

const key = (tab: string) => `headers.${tab}`;

export const headersOf = (tab: string): string => sessionStorage.getItem(key(tab)) ?? '';
export const keepHeaders = (tab: string, text: string): void => sessionStorage.setItem(key(tab), text);
