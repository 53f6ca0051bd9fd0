//! A schema of 500 collections, in a real browser against the real server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browser, open, Server, shot, shows, skip, TASK_MS_MAX, watchTasks, write } from './stage.mjs';

/** A build for tests on a machine that does other things takes long to print the API of 500 collections. */
const SERVER_MS_MAX = 180_000;

/** What the design gives a popup. */
const POPUP_MS = 50;
/** How long the page may work at a stretch for a popup, which takes it 20 ms. */
const WORK_MS_MAX = 100;
/** The editor renders as many of a thousand completions, and the docs as many fields. */
const DRAWN_MAX = 100;
const PRESSES = 5;

const COLLECTIONS = 500;
const nameOf = at => `Item${String((at + COLLECTIONS) % COLLECTIONS).padStart(3, '0')}`;
const SCHEMA = Array.from(
  { length: COLLECTIONS },
  (_, at) => `type ${nameOf(at)} @collection {
  id: ID!
  title: String! @index
  code: Int! @unique
  price: Decimal
  active: Boolean! @default(value: true)
  createdAt: DateTime! @default(now: true)
  next: ${nameOf(at + 1)} @relation(inverse: "previous")
  previous: [${nameOf(at - 1)}!]! @relation(inverse: "next")
}
`,
).join('\n');

/** From now on the page knows, of the last key, when the popup stood there after it, and the longest wait in between. */
const watchPopup = page =>
  page.evaluate(() => {
    const later = window.setTimeout;
    window.setTimeout = (work, millis = 0, ...rest) => {
      const { popup } = window;
      const act = () => {
        if (popup && !popup.millis) popup.wait = Math.max(popup.wait, millis);
        work(...rest);
      };
      return later(act, millis);
    };
    const onKey = event => {
      window.popup = { began: event.timeStamp, wait: 0 };
    };
    addEventListener('keydown', onKey, true);
    new MutationObserver(() => {
      const { popup } = window;
      if (!popup || popup.millis || !document.querySelector('.cm-tooltip-autocomplete li')) return;
      popup.millis = performance.now() - popup.began;
    }).observe(document.body, { childList: true, subtree: true });
  });

/** Writes `text`, presses a key, and answers when the popup stood there, in milliseconds, and what was waited for. */
async function pressed(page, text, key) {
  await write(page, 'Operation', text);
  await page.keyboard.press('Escape');
  await page.locator('.cm-tooltip-autocomplete').waitFor({ state: 'detached' });
  await page.keyboard.press(key);
  await page.waitForFunction(() => window.popup?.millis);
  return page.evaluate(() => window.popup);
}

describe('a schema of 500 collections', { skip }, () => {
  let chrome;
  let server;
  before(async () => {
    server = await new Server().start();
    await server.apply(SCHEMA);
    // The server prints its API when somebody asks first.
    const answer = await fetch(`${server.url}/schema.graphql`, { signal: AbortSignal.timeout(SERVER_MS_MAX) });
    assert.equal(answer.status, 200);
    await answer.text();
    chrome = await browser();
  });
  after(async () => {
    await chrome?.close();
    await server?.remove();
  });

  test('the page opens, and completes within the time that a key may take', async t => {
    const longestOpening = await watchTasks(chrome);
    const watched = await open(chrome, server);
    const { page } = watched;
    await shows(page, 'Operation', 'item000s');
    const opening = await longestOpening();
    assert.ok(opening < TASK_MS_MAX, `the page stood still for ${opening} ms when it opened`);

    const docs = page.getByRole('region', { name: 'Documentation' });
    await docs.getByText(/\d+ more: search by name/).waitFor();
    assert.ok((await docs.getByRole('listitem').count()) <= DRAWN_MAX + 1);

    const longestTask = await watchTasks(chrome);
    await watchPopup(page);
    const told = [];
    for (const [text, key] of [
      ['{ ', 'Control+Space'],
      ['{ item4', 'Control+Space'],
      ['{ ite', 'm'],
    ]) {
      const times = [];
      for (let press = 0; press < PRESSES; press++) {
        const { millis, wait } = await pressed(page, text, key);
        times.push(Math.round(millis));
        assert.ok(wait < POPUP_MS, `the popup waited ${wait} ms before anything was done for it`);
      }
      assert.ok((await page.locator('.cm-tooltip-autocomplete li').count()) <= DRAWN_MAX);
      told.push(`${key} after "${text}" ${times.join(', ')} ms`);
    }
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'item000' }).first().waitFor();
    await shot(page, 'large-schema-complete-dark');
    const longest = await longestTask();
    t.diagnostic(`longest task when opening ${opening} ms, when completing ${longest} ms; ${told.join('; ')}`);
    assert.ok(longest < WORK_MS_MAX, `the page stood still for ${longest} ms for a popup`);
    await page.keyboard.press('Escape');
    await watched.accessible('the docs of a large type');
    await watched.clean();
    await watched.context.close();
  });

  test('its collections are listed, found and read', async t => {
    const longestTask = await watchTasks(chrome);
    const watched = await open(chrome, server, { hash: '#/schema' });
    const { page } = watched;
    await shows(page, 'Schema', 'Item000');
    const list = page.getByRole('region', { name: 'Collections' });
    await list.getByRole('button', { name: /^Item499/ }).waitFor();
    await list.getByRole('button', { name: /^Item499/ }).click();
    await shows(page, 'Schema', 'type Item499');
    await shot(page, 'large-schema-dark');
    await page.getByRole('tab', { name: 'Graph' }).click();
    await page.getByRole('group', { name: 'Relations of Item499' }).getByText('Item000').waitFor();

    await page.keyboard.press('Control+k');
    await page.keyboard.type('Item321');
    await page.locator('dialog').getByText('records').first().waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Data' }).click();
    await page.getByRole('button', { name: /^Item321/ }).click();
    await page.locator('table[aria-label="Item321"]').waitFor();
    await page.getByText('Item321 has no records yet.').waitFor();
    const longest = await longestTask();
    t.diagnostic(`longest task ${longest} ms`);
    assert.ok(longest < TASK_MS_MAX, `the page stood still for ${longest} ms`);
    await watched.clean();
    await watched.context.close();
  });
});
