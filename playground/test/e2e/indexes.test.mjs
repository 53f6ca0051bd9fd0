//! The Indexes page in a real browser against the real server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browser, open, Server, SHOP, shot, shows, skip, write } from './stage.mjs';

describe('indexes', { skip }, () => {
  let chrome;
  let server;
  before(async () => {
    server = await new Server(SHOP).start();
    await server.createCustomers([
      { name: 'Ada', email: 'ada@example.org', country: 'GB' },
      { name: 'Alan', email: 'alan@example.org', country: 'GB' },
    ]);
    chrome = await browser();
  });
  after(async () => {
    await chrome?.close();
    await server?.remove();
  });

  for (const scheme of ['dark', 'light']) {
    test(`indexes are listed, and what was slow is explained, ${scheme}`, async () => {
      const watched = await open(chrome, server, { scheme });
      const { page } = watched;
      await shows(page, 'Operation', 'nodes');
      await write(
        page,
        'Operation',
        'query Slow { customers(first: 2, where: { loyaltyPoints: { gte: 3 } }) { nodes { name } } }',
      );
      await page.keyboard.press('Control+Enter');
      await page.locator('.status .ok').waitFor();
      await page.getByRole('link', { name: 'Indexes' }).click();
      const index = page.locator('table[aria-label="Indexes"] tr', { hasText: 'country, createdAt' });
      await index.locator('td.number').first().getByText('2').waitFor();
      const reads = async () => Number(await index.locator('td.number').nth(2).innerText());
      const before = await reads();
      await server.data('{ customers(where: { country: { eq: "GB" } }) { nodes { name } } }');
      await index.getByRole('img', { name: new RegExp(`^${before + 1} reads? in the last hour$`) }).waitFor();
      assert.equal(await reads(), before + 1);
      const listed = page.locator('.slow', { hasText: 'Slow' });
      await listed.getByRole('button', { name: 'Explain' }).click();
      await page.locator('table[aria-label="Plan"] .warn').first().waitFor();
      await watched.accessible('explained');
      await shot(page, `indexes-${scheme}`);
      const variables = page.locator('.slow', { hasText: 'createCustomers' });
      await variables.getByRole('button', { name: 'Explain' }).click();
      await variables.getByText('It takes $data. Open it').waitFor();
      await page.getByRole('tab', { name: 'This browser' }).click();
      await listed.getByRole('button', { name: 'Explain' }).click();
      await page.locator('table[aria-label="Plan"] .warn').first().waitFor();
      await page.getByRole('button', { name: 'Write the index into the schema' }).click();
      await page.getByText('needs backfill').waitFor();
      await page.getByRole('button', { name: 'Discard' }).click();
      await page.getByRole('link', { name: 'Indexes' }).click();
      await listed.getByRole('button', { name: 'Open' }).click();
      await shows(page, 'Operation', 'loyaltyPoints: { gte: 0 }');
      await watched.clean();
      await watched.context.close();
    });
  }

  test('at 390 pixels it is usable', async () => {
    const watched = await open(chrome, server, { hash: '#/indexes', width: 390, height: 844 });
    const { page } = watched;
    await page.locator('table[aria-label="Indexes"] tbody tr').first().waitFor();
    await page.getByRole('tab', { name: 'Slow operations' }).click();
    await page.getByText('createCustomers').waitFor();
    await watched.accessible('of the server');
    await page.getByRole('tab', { name: 'This browser' }).click();
    await page.getByText('Nothing was run in this browser yet').waitFor();
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
    await watched.accessible('narrow');
    await watched.clean();
    await watched.context.close();
  });
});
