//! Tabs of two windows on one store: no text is ever overwritten.

import { beforeEach, expect, test, vi } from 'vitest';

const kept = new Map<string, string>();
vi.stubGlobal('sessionStorage', {
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => kept.set(key, value),
});

async function window() {
  vi.resetModules();
  const store = await import('../../src/state/store');
  const tabs = await import('../../src/state/tabs');
  return { store, tabs };
}

beforeEach(() => kept.clear());

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
  await store.put('tabs', { ...mine, query: '{ theirs }', revision: mine.revision + 1 });
  await tabs.flush();
  const texts = (await store.all<{ id: string; query: string }>('tabs')).map(tab => tab.query).sort();
  expect(texts).toEqual(['{ mine }', '{ theirs }']);
  expect(tabs.activeTab()?.query).toBe('{ mine }');
});
