//! The Query page in a real browser against the real server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browser, open, Server, SHOP, shot, shows, skip, textOf, write } from './stage.mjs';

const CUSTOMERS = Array.from({ length: 12 }, (_, at) => ({
  email: `c${at}@example.com`,
  name: `Customer ${at}`,
  loyaltyPoints: at * 10,
}));

describe('query', { skip }, () => {
  let chrome;
  let server;
  before(async () => {
    server = await new Server(SHOP).start();
    await server.createCustomers(CUSTOMERS);
    chrome = await browser();
  });
  after(async () => {
    await chrome?.close();
    await server?.remove();
  });

  const ready = async options => {
    const watched = await open(chrome, server, options);
    // The first collection's sample: from here on the schema is there, and nothing comes into the editor by itself.
    await shows(watched.page, 'Operation', 'nodes');
    return watched;
  };

  test('a first visit has something to run, and running it shows data, time and cost', async () => {
    const watched = await ready();
    const { page } = watched;
    await shows(page, 'Operation', 'nodes');
    await write(
      page,
      'Operation',
      '{ customers(first: 3, orderBy: [{ email: ASC }]) { nodes { name loyaltyPoints } } }',
    );
    await page.keyboard.press('Control+Enter');
    await shows(page, 'Result', 'Customer 0');
    assert.match(await page.locator('.status').innerText(), /200.*ms.*ms server.*cost.*version/s);
    await page.getByRole('tab', { name: 'Table' }).click();
    assert.equal(await page.locator('table[aria-label="customers.nodes"] tbody tr').count(), 3);
    await shot(page, 'query-table-dark');
    await watched.clean();
    await watched.context.close();
  });

  test('fields are completed, hover tells them, and what does not fit the schema is underlined', async () => {
    const watched = await ready();
    const { page } = watched;
    await write(page, 'Operation', '{ customers(first: 3) { nodes { ema');
    await page.keyboard.press('Control+Space');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'email' }).first().click();
    assert.match(await textOf(page, 'Operation'), /email/);
    await write(page, 'Operation', '{ customers(first: 3) { nodes { emial } } }');
    await page.locator('.cm-lintRange-error', { hasText: 'emial' }).waitFor();
    await write(page, 'Operation', '{ customers(first: 3) { nodes { email } } }');
    await page.locator('.cm-content[aria-label="Operation"] span', { hasText: /^email$/ }).hover();
    await page.locator('.cm-hover', { hasText: 'Customer.email: Email!' }).waitFor();
    await watched.clean();
    await watched.context.close();
  });

  test('all fields of a type are filled in by a key, a command and a completion, and taken back in one step', async () => {
    const watched = await ready();
    const { page } = watched;
    const fields = page.locator('.cm-content[aria-label="Operation"] .cm-line', { hasText: /^\s+(id|slug|title)$/ });
    const filled = () =>
      page.waitForFunction(
        () => document.querySelectorAll('.cm-content[aria-label="Operation"] .cm-line').length === 7,
      );
    const empty = async text => {
      await write(page, 'Operation', text);
      for (let left = text.length - text.indexOf('}'); left > 0; left--) await page.keyboard.press('ArrowLeft');
    };
    await empty('{ categories { } }');
    await page.keyboard.press('Shift+Alt+Enter');
    await filled();
    assert.equal(await fields.count(), 3);
    await shot(page, 'query-filled-dark');
    await page.keyboard.press('Shift+Alt+Enter');
    await page.getByText('There is nothing to fill at the cursor').waitFor();
    await page.keyboard.press('Control+z');
    assert.equal(await textOf(page, 'Operation'), '{ categories { } }');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('Fill all');
    await page.keyboard.press('Enter');
    await filled();
    await empty('{ categories { } }');
    await page.keyboard.press('Control+Space');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'all fields' }).click();
    await filled();
    await page.keyboard.press('Control+Enter');
    await shows(page, 'Result', '"nodes"');
    await watched.clean();
    await watched.context.close();
  });

  test('an error of the server is underlined at its place, listed, and leads there', async () => {
    const watched = await ready();
    const { page } = watched;
    await write(
      page,
      'Operation',
      '{\n  customer(by: { id: "nonsense" }) { name }\n  customers(after: "!", first: 1) { nodes { id } }\n}',
    );
    await page.keyboard.press('Control+Enter');
    const error = page.locator('.errors li').first();
    await error.waitFor();
    assert.match(await error.innerText(), /[A-Z_]{5,}/);
    const place = error.getByRole('button', { name: /line \d/ });
    if (await place.count()) {
      await place.click();
      await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Operation');
      await page.locator('.cm-content[aria-label="Operation"] .cm-lintRange-error').first().waitFor();
    }
    await shot(page, 'query-error-dark');
    await watched.clean('400');
    await watched.context.close();
  });

  test('variables are completed and checked from the types of the operation', async () => {
    const watched = await ready();
    const { page } = watched;
    await write(
      page,
      'Operation',
      'query Rich($first: Int!, $where: CustomerWhere) { customers(first: $first, where: $where) { nodes { name } } }',
    );
    await write(page, 'Variables', '{"first": "x"}');
    await page.locator('.cm-content[aria-label="Variables"] .cm-lintRange-error').waitFor();
    await write(page, 'Variables', '{"first": 2, "where": { "loyaltyPoints": { "gt');
    await page.keyboard.press('Control+Space');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'gte' }).click();
    assert.match(await textOf(page, 'Variables'), /"gte": /);
    await write(page, 'Variables', '{"first": 2, "where": { "loyaltyPoints": { "gte": 100 } }}');
    await page.keyboard.press('Control+Enter');
    await shows(page, 'Result', 'Customer 10');
    await watched.clean();
    await watched.context.close();
  });

  test('a plan is shown without running anything, also of a mutation', async () => {
    const watched = await ready();
    const { page } = watched;
    await write(
      page,
      'Operation',
      'mutation Gone { deleteCustomers(where: { loyaltyPoints: { gte: 0 } }) { affectedCount } }',
    );
    await page.getByRole('button', { name: /Run mutation/ }).waitFor();
    await page.getByRole('tab', { name: 'Plan' }).click();
    await page.getByText('Estimated: nothing ran.').waitFor();
    assert.equal((await server.data('{ customers { totalCount } }')).customers.totalCount, CUSTOMERS.length);
    await write(page, 'Operation', '{ customers(first: 2, where: { loyaltyPoints: { gte: 3 } }) { nodes { name } } }');
    await page.getByRole('button', { name: 'Estimate' }).click();
    await page.locator('.warn', { hasText: '⚠' }).first().waitFor();
    await shot(page, 'query-plan-dark');
    await watched.clean();
    await watched.context.close();
  });

  test('tabs, history and saved operations outlive a reload and never overwrite each other', async () => {
    const watched = await ready();
    const { page, context } = watched;
    await write(page, 'Operation', 'query First { customers(first: 1) { nodes { id } } }');
    await page.getByRole('button', { name: 'New tab' }).click();
    await write(page, 'Operation', 'query Second { products(first: 1) { nodes { id } } }');
    await page.keyboard.press('Control+Enter');
    await page.locator('.status .ok').waitFor();
    await page.keyboard.press('Control+s');
    await page.getByRole('textbox', { name: 'Name' }).fill('My second');
    await page.getByRole('button', { name: 'Save', exact: true }).last().click();
    await page.getByText('Saved as "My second".').waitFor();
    await page.waitForFunction(
      () => document.querySelectorAll('[aria-label="Open operations"] [role=tab]').length === 2,
    );
    await page.reload();
    await shows(page, 'Operation', 'Second');
    assert.deepEqual(await page.getByRole('tablist', { name: 'Open operations' }).getByRole('tab').allInnerTexts(), [
      'First',
      'Second',
    ]);
    await page.getByRole('tab', { name: 'Saved' }).click();
    await page.getByRole('button', { name: /^My second/ }).waitFor();
    await page.getByRole('tab', { name: 'History' }).click();
    await page.locator('.entries button', { hasText: 'Second' }).first().click();
    assert.equal(
      await page.getByRole('tablist', { name: 'Open operations' }).getByRole('tab').count(),
      2,
      'it is open already',
    );

    const other = await open(chrome, server, { context });
    await shows(other.page, 'Operation', 'query');
    await other.page.getByRole('tab', { name: 'Second' }).click();
    await write(page, 'Operation', 'query Mine { products(first: 2) { nodes { id } } }');
    await shows(other.page, 'Operation', 'Mine');
    await other.page.close();
    await watched.clean();
    await context.close();
  });

  test('what is typed is there after a reload at once', async () => {
    const watched = await ready();
    const { page, context } = watched;
    for (const name of ['Once', 'Twice', 'Thrice']) {
      await write(page, 'Operation', `query ${name} { customers(first: 1) { nodes { id } } }`);
      await page.reload();
      await shows(page, 'Operation', name);
    }
    assert.equal(await page.getByRole('tablist', { name: 'Open operations' }).getByRole('tab').count(), 1);
    await watched.clean();
    await context.close();
  });

  test('what belongs to the editor works in every tab, also in one that came after another', async () => {
    const watched = await ready();
    const { page, context } = watched;
    for (let tab = 1; tab <= 3; tab += 1) {
      await page.getByRole('button', { name: 'New tab' }).click();
      await page.locator('[role=tab][aria-selected=true]', { hasText: 'untitled' }).waitFor();
      await write(page, 'Operation', '{customers{totalCount}}');
      await page.getByRole('button', { name: 'Format' }).click();
      await page.waitForFunction(
        () => document.querySelectorAll('.cm-content[aria-label="Operation"] .cm-line').length > 3,
      );
      await write(page, 'Operation', '{ customers { nope } }');
      await page.keyboard.press('Control+Enter');
      await page.locator('.cm-content[aria-label="Operation"] .cm-lintRange-error').first().waitFor();
    }
    await watched.clean('Failed to load resource');
    await context.close();
  });

  test('a link carries the operation in its fragment, opens a tab of its own, and the server never sees it', async () => {
    const watched = await ready();
    const { page } = watched;
    await write(page, 'Operation', 'query Shared { categories(first: 7) { nodes { slug } } }');
    await page.getByRole('button', { name: 'Share', exact: true }).click();
    await page.getByText('The link is copied').waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(link, /\/#\/query\?share=[\w-]+$/);
    const other = await open(chrome, server, { hash: link.slice(server.url.length + 1) });
    await shows(other.page, 'Operation', 'Shared');
    assert.ok(!other.page.url().includes('share='));
    await other.clean();
    const broken = await open(chrome, server, { hash: '#/query?share=nonsense' });
    await broken.page.getByText('This link is damaged').waitFor();
    await other.context.close();
    await broken.context.close();
    await watched.context.close();
  });

  test('a server that restarts is noticed, and nothing that was written is lost', async () => {
    const watched = await ready();
    const { page } = watched;
    await write(page, 'Operation', '{ customers(first: 1) { nodes { name } } }');
    await server.stop();
    await page.keyboard.press('Control+Enter');
    await page.getByText('The server does not answer').waitFor();
    await page.getByText('no connection').waitFor();
    await server.start();
    await page.getByText('connected', { exact: false }).waitFor();
    assert.match(await textOf(page, 'Operation'), /customers/);
    await page.keyboard.press('Control+Enter');
    await shows(page, 'Result', 'Customer');
    await watched.clean('ERR_CONNECTION', 'ERR_EMPTY_RESPONSE', 'Failed to load resource');
    await watched.context.close();
  });

  test('everything is reached by keyboard: the palette, help, and the way out of the editor', async () => {
    const watched = await ready();
    const { page } = watched;
    await page.locator('.cm-content[aria-label="Operation"]').click();
    await page.keyboard.press('Tab');
    assert.equal(
      await page.evaluate(() => document.activeElement?.getAttribute('aria-label')),
      'Operation',
      'Tab indents',
    );
    await page.keyboard.press('Escape');
    await page.keyboard.press('Tab');
    assert.notEqual(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Operation');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('reviews');
    await page.keyboard.press('Enter');
    await shows(page, 'Operation', 'reviews');
    await page.locator('.brand').click();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await watched.clean();
    await watched.context.close();
  });

  for (const scheme of ['dark', 'light']) {
    test(`axe finds nothing, ${scheme}`, async () => {
      const watched = await ready({ scheme });
      const { page } = watched;
      await write(
        page,
        'Operation',
        'query Page { customers(first: 20, where: { loyaltyPoints: { gte: 0 } }) { nodes { id name email orders { totalCount } } } }',
      );
      await page.keyboard.press('Control+Enter');
      await shows(page, 'Result', 'Customer 0');
      await watched.accessible('result');
      await shot(page, `query-${scheme}`);
      await page.getByRole('tab', { name: 'Table' }).click();
      await watched.accessible('table');
      await page.getByRole('tab', { name: 'Plan' }).click();
      await page.getByText('nothing ran.').waitFor();
      await watched.accessible('plan');
      await page.getByRole('tab', { name: 'History' }).click();
      await page.keyboard.press('Control+k');
      await watched.accessible('palette');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Keys and about' }).click();
      await watched.accessible('help');
      await watched.clean();
      await watched.context.close();
    });
  }

  test('at 390 pixels nothing is cut off and an operation can be run', async () => {
    const watched = await ready({ width: 390, height: 844 });
    const { page } = watched;
    await write(page, 'Operation', '{ customers(first: 2) { nodes { name } } }');
    await shot(page, 'query-narrow');
    await page.getByRole('button', { name: /^Run/ }).click();
    await shows(page, 'Result', 'Customer');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 390, `${wide} pixels wide`);
    await shot(page, 'query-narrow-result');
    await watched.accessible('narrow');
    await watched.clean();
    await watched.context.close();
  });
});
