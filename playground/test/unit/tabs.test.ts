//! Tabs of two windows on one store: no text is ever overwritten.

import { beforeEach, expect, test, vi } from 'vitest';
import type { Tab } from '../../src/state/tabs';
import { Shelf } from './shelf';

const unwritten = () => Object.keys(localStorage).filter(key => key.startsWith('unwritten.'));

/** What the page that was opened last does when it goes. */
let leaves: (() => void)[] = [];

/** Lets the page go that was opened last: what it began to write is never carried out. Answers what it left. */
function goes(): Storage {
  for (const leave of leaves) leave();
  return Object.assign(new Shelf(), localStorage) as unknown as Storage;
}

/** Opens a page, maybe with what one before it left. */
async function window(left?: Storage) {
  await new Promise(resolve => setTimeout(resolve));
  vi.resetModules();
  leaves = [];
  if (left) vi.stubGlobal('localStorage', left);
  vi.stubGlobal('addEventListener', (_: string, work: () => void) => leaves.push(work));
  vi.stubGlobal('document', { addEventListener: () => undefined });
  const store = await import('../../src/state/store');
  const tabs = await import('../../src/state/tabs');
  return { store, tabs };
}

beforeEach(() => {
  vi.useRealTimers();
  vi.stubGlobal('sessionStorage', new Shelf());
  vi.stubGlobal('localStorage', new Shelf());
});

test('what is typed is kept, and closing leaves at least one tab', async () => {
  const { tabs, store } = await window();
  await tabs.loadTabs({ query: '{ a }', variables: '' });
  tabs.edit({ query: '{ b }' });
  await tabs.flush();
  expect((await store.all<{ id: string; query: string }>('tabs')).map(tab => tab.query)).toEqual(['{ b }']);
  await tabs.openTab({ query: '{ c }', variables: '' });
  expect(tabs.tabs.value.map(tab => tab.query)).toEqual(['{ b }', '{ c }']);
  await tabs.closeTab(tabs.activeId.value);
  await tabs.closeTab(tabs.activeId.value);
  expect(tabs.tabs.value.map(tab => tab.query)).toEqual(['']);
});

test('a tab that another window wrote in between is not overwritten: both texts stay', async () => {
  const { tabs, store } = await window();
  await tabs.loadTabs({ query: '{ a }', variables: '' });
  const mine = tabs.activeTab();
  if (!mine) throw new Error('a tab is open');
  tabs.edit({ query: '{ mine }' });
  await store.put('tabs', { ...mine, query: '{ theirs }', revision: mine.revision + 1, writer: 'other' });
  await tabs.flush();
  const texts = (await store.all<{ id: string; query: string }>('tabs')).map(tab => tab.query).sort();
  expect(texts).toEqual(['{ mine }', '{ theirs }']);
  expect(tabs.activeTab()?.query).toBe('{ mine }');
});

test('what is typed without a pause is written all the same', async () => {
  const { tabs, store } = await window();
  vi.useFakeTimers();
  await tabs.loadTabs({ query: '', variables: '' });
  for (let stroke = 1; stroke <= 10; stroke += 1) {
    tabs.edit({ query: 'x'.repeat(stroke) });
    await vi.advanceTimersByTimeAsync(100);
  }
  const [kept] = await store.all<Tab>('tabs');
  expect(kept?.query.length).toBeGreaterThanOrEqual(7);
});

test('two writes at once write one tab', async () => {
  const { tabs, store } = await window();
  await tabs.loadTabs({ query: '', variables: '' });
  tabs.edit({ query: '{ a }' });
  const first = tabs.flush();
  tabs.edit({ query: '{ b }' });
  await Promise.all([first, tabs.flush()]);
  expect((await store.all<Tab>('tabs')).map(tab => tab.query)).toEqual(['{ b }']);
});

test('what a page could not write before it went, the next one takes over', async () => {
  const before = await window();
  await before.tabs.loadTabs({ query: '{ a }', variables: '' });
  const [written] = await before.store.all<Tab>('tabs');
  before.tabs.edit({ query: '{ b }' });
  const { tabs, store } = await window(goes());
  await store.put('tabs', written as Tab);
  await tabs.loadTabs({ query: '', variables: '' });
  expect(tabs.tabs.value.map(tab => tab.query)).toEqual(['{ b }']);
  expect(tabs.activeId.value).toBe(written?.id);
  expect(unwritten()).toEqual([]);
});

test('a page that goes while an older text of its own is being written leaves one tab, with the newer text', async () => {
  const before = await window();
  await before.tabs.loadTabs({ query: '{ a }', variables: '' });
  before.tabs.edit({ query: '{ b }' });
  await before.tabs.flush();
  const [older] = await before.store.all<Tab>('tabs');
  before.tabs.edit({ query: '{ c }' });
  const { tabs, store } = await window(goes());
  await store.put('tabs', { ...(older as Tab), revision: (older as Tab).revision + 1 });
  await tabs.loadTabs({ query: '', variables: '' });
  expect(tabs.tabs.value.map(tab => tab.query)).toEqual(['{ c }']);
});

test('what a page left and what another one wrote meanwhile both stay', async () => {
  const before = await window();
  await before.tabs.loadTabs({ query: '{ a }', variables: '' });
  const [written] = await before.store.all<Tab>('tabs');
  before.tabs.edit({ query: '{ mine }' });
  const { tabs, store } = await window(goes());
  const theirs = { ...(written as Tab), query: '{ theirs }', revision: (written as Tab).revision + 1, writer: 'other' };
  await store.put('tabs', theirs);
  await tabs.loadTabs({ query: '', variables: '' });
  expect(tabs.tabs.value.map(tab => tab.query).sort()).toEqual(['{ mine }', '{ theirs }']);
});

test('a page that goes with everything written leaves nothing', async () => {
  const { tabs } = await window();
  await tabs.loadTabs({ query: '{ a }', variables: '' });
  tabs.edit({ query: '{ b }' });
  await tabs.flush();
  goes();
  expect(unwritten()).toEqual([]);
});
