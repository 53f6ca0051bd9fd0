//! The open operations. Each is a record of its own that carries a revision: a window writes only the tab that it edits,
//! and only over the revision that it has seen. Else it goes on under a new id, so no window overwrites another's text.
//! What is typed is written soon; what a page that goes could not write, it leaves to the next one.

import { signal } from '@preact/signals';
import { Leavings, whenLeaving } from './leaving';
import { all, announce, newId, onChange, put, remove, update } from './store';

export interface Tab {
  id: string;
  query: string;
  variables: string;
  /** Place in the row of tabs. */
  order: number;
  revision: number;
  /** The page that wrote this revision. */
  writer?: string;
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

const leavings = new Leavings<Tab>('localStorage', 'tabs');

const inOrder = (list: Tab[]) => list.toSorted((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));

/** Reads the tabs of earlier; opens `first` when there are none. */
export async function loadTabs(first: Content, wanted?: string): Promise<void> {
  for (const tab of leavings.left()) {
    await write(tab, tab.writer);
    leavings.settle(tab.id);
  }
  const kept = inOrder(await all<Tab>('tabs'));
  tabs.value = kept;
  const remembered = wanted ?? sessionStorage.getItem('tab') ?? '';
  if (kept.length === 0) await openTab(first);
  else selectTab(kept.some(tab => tab.id === remembered) ? remembered : (kept[0] as Tab).id);
  onChange(name => {
    if (name === 'tabs') void follow();
  });
  whenLeaving(() => {
    for (const tab of tabs.value) if (unwritten.has(tab.id)) leavings.leave({ ...tab, writer: PAGE });
    void flush();
  });
}

/** Another window wrote: take over what it did, but for texts that this window is still writing. */
async function follow(): Promise<void> {
  const mine = activeTab();
  await merge();
  if (tabs.value.length === 0) return void openTab({ query: '', variables: '' });
  const theirs = activeTab();
  if (!theirs) selectTab((tabs.value[0] as Tab).id);
  else if (mine && !isAlike(mine, theirs)) replaced.value += 1;
}

/** Reads all tabs anew, but for those whose text this window is still writing. */
async function merge(): Promise<void> {
  const kept = await all<Tab>('tabs');
  tabs.value = inOrder([
    ...kept.filter(tab => !unwritten.has(tab.id)),
    ...tabs.value.filter(tab => unwritten.has(tab.id)),
  ]);
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
  const tab: Tab = { ...content, id: newId(), order, revision: 1, writer: PAGE };
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
/** This page, of all that ever were. */
const PAGE = newId();
/** Tabs with a text that is typed and not written yet. */
const unwritten = new Set<string>();
let soon: ReturnType<typeof setTimeout> | undefined;
let writing: Promise<void> = Promise.resolve();

/** Takes over what was typed in the active tab, and writes it soon. */
export function edit(change: Partial<Content>): void {
  const id = activeId.value;
  tabs.value = tabs.value.map(tab => (tab.id === id ? { ...tab, ...change } : tab));
  writeSoon(id);
}

function writeSoon(id: string): void {
  unwritten.add(id);
  soon ??= setTimeout(() => void flush(), WRITE_AFTER_MS);
}

/** Writes what was typed, after what is being written. */
export function flush(): Promise<void> {
  clearTimeout(soon);
  soon = undefined;
  writing = writing.then(async () => {
    for (const id of [...unwritten]) await writeTyped(id);
  });
  return writing;
}

async function writeTyped(id: string): Promise<void> {
  const seen = tabs.value.find(tab => tab.id === id);
  const written = seen && (await write(seen, PAGE));
  unwritten.delete(id);
  leavings.settle(id);
  const typed = tabs.value.find(tab => tab.id === id);
  if (!seen || !written || !typed) return;
  const { order, revision, writer } = written;
  const next: Tab = { ...typed, id: written.id, order, revision, writer };
  tabs.value = tabs.value.map(tab => (tab.id === id ? next : tab));
  if (!isAlike(typed, seen)) writeSoon(written.id);
  if (written.id !== id) {
    await merge();
    if (activeId.value === id) selectTab(written.id);
  }
  announce('tabs');
}

const isAlike = (one: Content, other: Content) =>
  one.query === other.query && one.variables === other.variables && one.saved === other.saved;

/** Writes a tab that `writer` saw last. Where another page wrote it in between, both texts stay, in two tabs. */
async function write(seen: Tab, writer?: string): Promise<Tab> {
  let other: Tab | undefined;
  const written = await update<Tab>('tabs', seen.id, present => {
    const isMine = !present || present.revision === seen.revision || present.writer === writer;
    if (isMine) return { ...seen, revision: (present?.revision ?? seen.revision) + 1, writer };
    other = present;
    return undefined;
  });
  if (written) return written;
  if (other && isAlike(other, seen)) return other;
  const copy: Tab = { ...seen, id: newId(), revision: 1, order: seen.order + 0.5, writer };
  await put('tabs', copy);
  return copy;
}
