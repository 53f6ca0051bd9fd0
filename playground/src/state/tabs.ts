//! The open operations. Each is a record of its own that carries a revision: a window writes only the tab that it edits,
//! and only over the revision that it has seen. Else it goes on under a new id, so no window overwrites another's text.

import { signal } from '@preact/signals';
import { all, announce, newId, onChange, put, putIf, remove } from './store';

export interface Tab {
  id: string;
  query: string;
  variables: string;
  /** Place in the row of tabs. */
  order: number;
  revision: number;
  /** The saved operation that it was opened from. */
  saved?: string;
}

export interface Content {
  query: string;
  variables: string;
  saved?: string;
}

/** More tabs than these are a pile: the oldest must be closed first. */
export const TABS_MAX = 50;

export const tabs = signal<Tab[]>([]);
export const activeId = signal('');
/** Grows when the text of a tab was replaced from outside its editor. */
export const replaced = signal(0);

export const activeTab = (): Tab | undefined => tabs.value.find(tab => tab.id === activeId.value);

/** A tab's name: that of its first operation. */
export function titleOf(query: string): string {
  const named = /^\s*(?:query|mutation|subscription)\s+([_A-Za-z]\w*)/m.exec(query);
  if (named?.[1]) return named[1];
  const field = /\{\s*([_A-Za-z]\w*)/.exec(query.replace(/#.*$/gm, ''));
  return field?.[1] ?? 'untitled';
}

const inOrder = (list: Tab[]) => list.toSorted((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));

/** Reads the tabs of earlier; opens `first` when there are none. */
export async function loadTabs(first: Content, wanted?: string): Promise<void> {
  const kept = inOrder(await all<Tab>('tabs'));
  tabs.value = kept;
  const remembered = wanted ?? sessionStorage.getItem('tab') ?? '';
  if (kept.length === 0) await openTab(first);
  else selectTab(kept.some(tab => tab.id === remembered) ? remembered : (kept[0] as Tab).id);
  onChange(name => {
    if (name === 'tabs') void follow();
  });
}

/** Another window wrote: take over what it did, but for texts that this window is still writing. */
async function follow(): Promise<void> {
  const kept = inOrder(await all<Tab>('tabs'));
  const mine = activeTab();
  if (mine && pending) {
    tabs.value = inOrder([...kept.filter(tab => tab.id !== mine.id), mine]);
    return;
  }
  const theirs = kept.find(tab => tab.id === mine?.id);
  tabs.value = kept;
  if (kept.length === 0) return void openTab({ query: '', variables: '' });
  if (!theirs) selectTab((kept[0] as Tab).id);
  else if (mine && (theirs.query !== mine.query || theirs.variables !== mine.variables)) replaced.value += 1;
}

export function selectTab(id: string): void {
  void flush();
  activeId.value = id;
  sessionStorage.setItem('tab', id);
}

/** Opens a new tab and selects it. Never replaces another. */
export async function openTab(content: Content): Promise<Tab> {
  await flush();
  const order = Math.max(0, ...tabs.value.map(tab => tab.order)) + 1;
  const tab: Tab = { ...content, id: newId(), order, revision: 1 };
  tabs.value = [...tabs.value, tab];
  selectTab(tab.id);
  await put('tabs', tab);
  announce('tabs');
  return tab;
}

export async function closeTab(id: string): Promise<Tab | undefined> {
  await flush();
  const at = tabs.value.findIndex(tab => tab.id === id);
  const closed = tabs.value[at];
  if (!closed) return undefined;
  const left = tabs.value.filter(tab => tab.id !== id);
  tabs.value = left;
  await remove('tabs', id);
  announce('tabs');
  if (left.length === 0) await openTab({ query: '', variables: '' });
  else if (activeId.value === id) selectTab((left[Math.max(0, at - 1)] as Tab).id);
  return closed;
}

/** Long enough to gather keystrokes, short enough that a crash loses nothing that anybody remembers. */
const WRITE_AFTER_MS = 250;
let pending: ReturnType<typeof setTimeout> | undefined;

/** Takes over what was typed in the active tab, and writes it soon. */
export function edit(change: Partial<Content>): void {
  const id = activeId.value;
  tabs.value = tabs.value.map(tab => (tab.id === id ? { ...tab, ...change } : tab));
  clearTimeout(pending);
  pending = setTimeout(() => void flush(), WRITE_AFTER_MS);
}

/** Writes what was typed. Where another window wrote the same tab in between, both texts stay, in two tabs. */
export async function flush(): Promise<void> {
  if (!pending) return;
  clearTimeout(pending);
  pending = undefined;
  const seen = activeTab();
  if (!seen) return;
  const next: Tab = { ...seen, revision: seen.revision + 1 };
  const written = await putIf<Tab>('tabs', next, present => present?.revision === seen.revision);
  if (written) {
    tabs.value = tabs.value.map(tab => (tab.id === seen.id ? { ...tab, revision: next.revision } : tab));
  } else {
    const copy: Tab = { ...seen, id: newId(), revision: 1, order: seen.order + 0.5 };
    await put('tabs', copy);
    tabs.value = inOrder([...(await all<Tab>('tabs'))]);
    if (activeId.value === seen.id) selectTab(copy.id);
  }
  announce('tabs');
}

if (typeof addEventListener !== 'undefined') addEventListener('pagehide', () => void flush());
