//! The plain page of a build without the playground, under the policy of the real server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { browser, open, Server, SHOP, shot, skip } from './stage.mjs';

const FILES = { 'page.css': 'text/css', 'page.js': 'text/javascript' };
const read = name => readFileSync(new URL(`../../fallback/${name}`, import.meta.url), 'utf8');

/** Shows the page as a server does that has no other one embedded: with the policy that it sends, and with its nonce. */
async function openFallback(chrome, server, { scheme = 'dark', width = 1280, height = 900, context: given } = {}) {
  const context = given ?? (await chrome.newContext({ colorScheme: scheme, viewport: { width, height } }));
  await context.route(`${server.url}/`, async route => {
    const { headers } = await fetch(server.url, { headers: { accept: 'text/html' } });
    const policy = headers.get('content-security-policy');
    const [, nonce] = /'nonce-([^']+)'/.exec(policy);
    await route.fulfill({
      contentType: 'text/html; charset=utf-8',
      headers: { 'content-security-policy': policy },
      body: read('index.html').replaceAll('__CSP_NONCE__', nonce),
    });
  });
  for (const [name, contentType] of Object.entries(FILES)) {
    await context.route(`${server.url}/playground/${name}`, route => route.fulfill({ contentType, body: read(name) }));
  }
  return open(chrome, server, { context });
}

describe('fallback', { skip }, () => {
  let chrome;
  let server;
  before(async () => {
    server = await new Server(SHOP).start();
    await server.createCustomers([{ email: 'ada@example.com', name: 'Ada' }]);
    chrome = await browser();
  });
  after(async () => {
    await chrome?.close();
    await server?.remove();
  });

  for (const scheme of ['dark', 'light']) {
    test(`an operation is run and explained, and what is wrong with one is said, ${scheme}`, async () => {
      const watched = await openFallback(chrome, server, { scheme });
      const { page } = watched;
      const answer = page.getByLabel('Answer', { exact: true });
      const figures = page.locator('#figures');
      await page.getByRole('button', { name: 'Customer', exact: true }).click();
      await answer.getByText('"Ada"').waitFor();
      assert.match(await figures.innerText(), /^200 .* ms .* bytes .* version \d+/);

      await page
        .getByRole('textbox', { name: 'Operation' })
        .fill('query ($first: Int!) { customers(first: $first) { nodes { email } } }');
      await page.getByRole('textbox', { name: 'Variables' }).fill('{ "first": 1');
      await page.keyboard.press('Control+Enter');
      await answer.getByText('The variables are not JSON').waitFor();
      await page.getByRole('textbox', { name: 'Variables' }).fill('{ "first": 1 }');
      await page.keyboard.press('Control+Enter');
      await answer.getByText('"ada@example.com"').waitFor();
      await watched.accessible('an answer');
      await shot(page, `fallback-${scheme}`);
      await page.getByRole('button', { name: 'Explain' }).click();
      await figures.getByText('not executed').waitFor();
      assert.match(await answer.innerText(), /customers/);

      await page.getByRole('textbox', { name: 'Operation' }).fill('{ customers { nope } }');
      await page.getByRole('textbox', { name: 'Variables' }).fill('');
      await page.getByRole('button', { name: 'Run Ctrl Enter' }).click();
      await answer.getByText('nope').first().waitFor();
      assert.match(await figures.innerText(), /^400 /);
      await watched.accessible('an error');
      await page.reload();
      await page.getByRole('button', { name: 'Customer', exact: true }).waitFor();
      assert.equal(
        await page.getByRole('textbox', { name: 'Operation' }).inputValue(),
        '{ customers { nope } }',
        'it outlives a reload',
      );
      // The browser itself writes an answer of 400 into its console.
      await watched.clean('the server responded with a status of 400');
      await watched.context.close();
    });
  }

  test('an empty database is given its first collection', async () => {
    const empty = await new Server().start();
    const watched = await openFallback(chrome, empty);
    const { page } = watched;
    await page.getByRole('heading', { name: 'Declare the first collection' }).waitFor();
    await watched.accessible('nothing declared');
    const schema = await page.getByLabel('Schema').inputValue();
    await page.getByLabel('Schema').fill(schema.replace('String!', 'Strong!'));
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText(/^Line 3, column \d+: /).waitFor();
    await page.getByLabel('Schema').fill(schema);
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('2 collections').waitFor();
    await page.getByRole('button', { name: 'Album', exact: true }).click();
    await page.getByLabel('Answer', { exact: true }).getByText('"totalCount"').waitFor();
    await watched.clean();
    await watched.context.close();
    await empty.remove();
  });

  test('what is being written when the collections arrive stays as it is', async () => {
    const context = await chrome.newContext();
    let answer;
    const held = new Promise(resolve => {
      answer = resolve;
    });
    await context.route(`${server.url}/admin/graphql`, async route => {
      await held;
      await route.continue();
    });
    const watched = await openFallback(chrome, server, { context });
    const { page } = watched;
    const operation = page.getByRole('textbox', { name: 'Operation' });
    await operation.focus();
    answer();
    await page.getByRole('button', { name: 'Customer', exact: true }).waitFor();
    await page.keyboard.type('{ customers { totalCount } }');
    assert.equal(await operation.inputValue(), '{ customers { totalCount } }');
    await watched.clean();
    await watched.context.close();
  });

  test('at 390 pixels nothing is cut off and an operation can be run', async () => {
    const watched = await openFallback(chrome, server, { width: 390, height: 844 });
    const { page } = watched;
    await page.getByRole('button', { name: 'Customer', exact: true }).waitFor();
    await page.getByRole('textbox', { name: 'Operation' }).fill('{ customers { nodes { name } } }');
    await page.getByRole('button', { name: 'Run Ctrl Enter' }).click();
    await page.getByLabel('Answer', { exact: true }).getByText('"Ada"').waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 390, `${wide} pixels wide`);
    await shot(page, 'fallback-narrow');
    await watched.accessible('narrow');
    await watched.clean();
    await watched.context.close();
  });

  test('of a large answer the beginning is shown, and a variable keeps all its digits', async () => {
    const text = 'x'.repeat(200_000);
    const customers = Array.from({ length: 4 }, (_, at) => ({
      email: `long${at}@example.com`,
      name: 'Long',
      preferences: { text },
    }));
    await server.createCustomers(customers);
    const watched = await openFallback(chrome, server);
    const { page } = watched;
    await page.getByRole('textbox', { name: 'Operation' }).fill('{ customers { nodes { preferences } } }');
    await page.getByRole('button', { name: 'Run Ctrl Enter' }).click();
    await page.locator('#figures').getByText('its beginning').waitFor();
    assert.ok((await page.getByLabel('Answer', { exact: true }).innerText()).length < 510_000);
    const query = 'query ($number: BigInt!) { orders(where: { number: { eq: $number } }) { totalCount } }';
    await page.getByRole('textbox', { name: 'Operation' }).fill(query);
    await page.getByRole('textbox', { name: 'Variables' }).fill('{ "number": 9007199254740993 }');
    const [request] = await Promise.all([
      page.waitForRequest('**/graphql'),
      page.getByRole('button', { name: 'Run Ctrl Enter' }).click(),
    ]);
    assert.match(request.postData(), /9007199254740993/);
    await page.getByLabel('Answer', { exact: true }).getByText('"totalCount"').waitFor();
    await watched.clean();
    await watched.context.close();
  });
});
