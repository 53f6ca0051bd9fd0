//! The Data page in a real browser against the real server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { browser, open, Server, SHOP, shot, skip } from './stage.mjs';

const CUSTOMERS = Array.from({ length: 130 }, (_, at) => ({
  email: `c${at}@example.com`,
  name: `Customer ${String(at).padStart(3, '0')}`,
  loyaltyPoints: at,
}));

describe('data', { skip }, () => {
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

  const rows = page => page.locator('table[aria-label="Customer"] tbody tr:not(.spacer)');
  const show = async (options = {}) => {
    const watched = await open(chrome, server, { hash: '#/data/Customer', ...options });
    await rows(watched.page).first().waitFor();
    return watched;
  };
  const filter = async (page, text) => {
    await page.locator('.cm-content[aria-label="Filter"]').click();
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Delete');
    await page.keyboard.insertText(text);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Filter', exact: true }).click();
  };

  test('a collection opens with its first page, and the rest comes as it is scrolled to', async () => {
    const watched = await show();
    const { page } = watched;
    await page.getByText('50 shown, more follow').waitFor();
    for (const shown of ['100 shown', '130 shown']) {
      await page.locator('.gridbox').evaluate(box => box.scrollTo(0, box.scrollHeight));
      await page.getByText(shown).waitFor();
    }
    assert.ok((await rows(page).count()) < 80, 'only rows in sight are drawn');
    await page.getByRole('button', { name: 'count all' }).click();
    await page.getByText('130 in all').waitFor();
    await watched.clean();
    await watched.context.close();
  });

  test('a filter is completed and kept in the address; a scan is said, with the index that would help', async () => {
    const watched = await show();
    const { page } = watched;
    await page.locator('.cm-content[aria-label="Filter"]').click();
    await page.keyboard.insertText('{ loyaltyP');
    await page.keyboard.press('Control+Space');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'loyaltyPoints' }).first().waitFor();
    await filter(page, '{ email: { eq: "c7@example.com" } }');
    await page.getByText('1 shown').waitFor();
    assert.match(page.url(), /where=/);
    assert.equal(await page.getByText('This was a scan.').count(), 0, 'an index serves it');
    await filter(page, '{ loyaltyPoints: { gte: 125 } }');
    await page.getByText('5 shown').waitFor();
    await page.getByText('This was a scan.').waitFor();
    await page.reload();
    await page.getByText('5 shown').waitFor();
    await filter(page, '{ loyaltyPoints: ');
    await page.getByText('The filter cannot be read').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByText('50 shown').waitFor();
    await page.getByRole('button', { name: 'name', exact: true }).click();
    await page.getByRole('button', { name: 'name ↑' }).click();
    await page.getByRole('button', { name: 'name ↓' }).waitFor();
    await rows(page).first().getByText('Customer 129').waitFor();
    await filter(page, '{ loyaltyPoints: { gte: 125 } }');
    await page.getByRole('button', { name: /Create index on/ }).click();
    await page.getByText('needs backfill').waitFor();
    await page.getByRole('button', { name: 'Discard' }).click();
    await watched.clean();
    await watched.context.close();
  });

  test('records are changed, created and deleted in one transaction, after their diff was seen', async () => {
    const watched = await show({
      hash: `#/data/Customer?where=${encodeURIComponent('{ email: { eq: "c1@example.com" } }')}`,
    });
    const { page } = watched;
    await rows(page).first().getByRole('button').first().click();
    await page.getByLabel('name String').fill('Ada');
    await page.getByLabel('loyaltyPoints Int').fill('77');
    await page.getByText('1 change,').waitFor();
    await page.getByRole('button', { name: 'New', exact: true }).click();
    await page.getByLabel('email Email!').fill('new@example.com');
    await page.getByLabel('name String!').fill('Newcomer');
    await page.getByRole('button', { name: 'Add to the changes' }).click();
    await page.getByText('2 changes,').waitFor();
    await shot(page, 'data-pending-dark');
    await page.getByRole('button', { name: /^Commit/ }).click();
    await page.getByText('2 changes are committed').waitFor();
    const found = await server.data(
      '{ a: customer(by: { email: "c1@example.com" }) { name loyaltyPoints } b: customer(by: { email: "new@example.com" }) { name } }',
    );
    assert.deepEqual(found, { a: { name: 'Ada', loyaltyPoints: 77 }, b: { name: 'Newcomer' } });

    await rows(page).first().getByRole('button').first().click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByRole('dialog').getByText('orders').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Add to the changes' }).click();
    await page.getByRole('button', { name: /^Commit/ }).click();
    await page.getByText('The change is committed').waitFor();
    assert.equal((await server.data('{ customer(by: { email: "c1@example.com" }) { id } }')).customer, null);
    await watched.clean();
    await watched.context.close();
  });

  test('two people who edit one record are told of each other, and nothing is overwritten', async () => {
    const watched = await show({
      hash: `#/data/Customer?where=${encodeURIComponent('{ email: { eq: "c2@example.com" } }')}`,
    });
    const { page } = watched;
    await rows(page).first().getByRole('button').first().click();
    await page.getByLabel('name String').fill('Mine');
    await server.data(
      'mutation { updateCustomer(by: { email: "c2@example.com" }, data: { name: "Theirs" }) { commit { version } } }',
    );
    await page.getByRole('button', { name: /^Commit/ }).click();
    await page.getByText('Somebody changed the record').waitFor();
    assert.equal((await server.data('{ customer(by: { email: "c2@example.com" }) { name } }')).customer.name, 'Theirs');
    await page.getByRole('button', { name: 'Take theirs' }).click();
    await rows(page).first().getByText('Theirs').waitFor();
    await watched.clean();
    await watched.context.close();
  });

  test('a field is changed in its cell, by keyboard or mouse; what is refused stays there with the reason', async () => {
    const watched = await show({
      hash: `#/data/Customer?where=${encodeURIComponent('{ email: { eq: "c4@example.com" } }')}`,
    });
    const { page } = watched;
    const stored = async () =>
      (await server.data('{ customer(by: { email: "c4@example.com" }) { name status loyaltyPoints } }')).customer;
    const cell = text => page.getByRole('gridcell', { name: text, exact: true });
    const focused = text => page.waitForFunction(wanted => document.activeElement?.textContent === wanted, text);
    const input = page.locator('.cell input');
    const alert = page.locator('.cell').getByRole('alert');

    await page.getByRole('button', { name: 'count all' }).focus();
    await page.keyboard.press('Shift+Tab');
    assert.equal(await page.locator('td:focus').count(), 1, 'Tab finds the cells');
    for (let column = 0; column < 3; column++) await page.keyboard.press('ArrowRight');
    await focused('Customer 004');
    await page.keyboard.press('F2');
    await page.keyboard.type('Ada');
    await page.keyboard.press('Enter');
    await focused('Ada');
    assert.equal((await stored()).name, 'Ada');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await page.keyboard.type('Never');
    await page.keyboard.press('Escape');
    await focused('Ada');

    await cell('4').dblclick();
    await page.keyboard.type('many');
    await page.keyboard.press('Enter');
    await alert.getByText('loyaltyPoints must be a number').waitFor();
    await input.fill('-1');
    await page.keyboard.press('Enter');
    await alert.getByText('Points cannot be spent twice').waitFor();
    await watched.accessible('a cell that is refused');
    await page.keyboard.press('Escape');
    await focused('4');

    await cell('ACTIVE').dblclick();
    await page.locator('.cell select').selectOption('BLOCKED');
    await page.keyboard.press('Enter');
    await focused('BLOCKED');

    await cell('Ada').dblclick();
    await page.keyboard.type('Mine');
    await server.data(
      'mutation { updateCustomer(by: { email: "c4@example.com" }, data: { name: "Theirs" }) { commit { version } } }',
    );
    await page.keyboard.press('Enter');
    await alert.getByText('name is Theirs now').waitFor();
    const heights = await page
      .locator('.grid tr[aria-rowindex]')
      .evaluateAll(rows => rows.map(row => row.offsetHeight));
    assert.deepEqual([...new Set(heights)], [28], 'rows keep their height');
    assert.equal(await input.inputValue(), 'Mine');
    assert.equal((await stored()).name, 'Theirs');
    await shot(page, 'data-cell-dark');
    await page.keyboard.press('Enter');
    await focused('Mine');
    assert.deepEqual(await stored(), { name: 'Mine', status: 'BLOCKED', loyaltyPoints: 4 });

    await page.keyboard.press('Home');
    const atId = page.locator('td:focus');
    assert.equal(await atId.getAttribute('aria-readonly'), 'true');
    await page.keyboard.press('F2');
    await page.getByText('id cannot be changed').waitFor();
    await watched.accessible('cells');
    await page.keyboard.press('Enter');
    await page.getByLabel('name String').waitFor();
    await watched.clean();
    await watched.context.close();
  });

  test('what is typed into a cell and not saved is there again after a reload, and meets what others changed', async () => {
    const watched = await show({
      hash: `#/data/Customer?where=${encodeURIComponent('{ email: { eq: "c6@example.com" } }')}`,
    });
    const { page } = watched;
    const input = page.locator('.cell input');
    const reload = async () => {
      await page.reload();
      await rows(page).first().waitFor();
    };
    await page.getByRole('gridcell', { name: 'Customer 006', exact: true }).dblclick();
    await page.keyboard.type('Mine');
    await reload();
    await page.getByText('name of Customer 006 is not saved yet: its cell is open again.').waitFor();
    assert.equal(await input.inputValue(), 'Mine');
    await shot(page, 'data-again-dark');
    await server.data(
      'mutation { updateCustomer(by: { email: "c6@example.com" }, data: { name: "Theirs" }) { commit { version } } }',
    );
    await reload();
    await input.focus();
    await page.keyboard.press('Enter');
    await page.locator('.cell').getByRole('alert').getByText('name is Theirs now').waitFor();
    assert.equal(await input.inputValue(), 'Mine');
    await page.keyboard.press('Enter');
    // The open cell says the same while it is being saved, and what is not saved yet is rightly there again.
    await input.waitFor({ state: 'detached' });
    await page.getByRole('gridcell', { name: 'Mine', exact: true }).waitFor();
    await reload();
    assert.equal(await input.count(), 0, 'it is saved');

    await page.getByRole('gridcell', { name: 'Mine', exact: true }).dblclick();
    await page.keyboard.type('Never');
    await reload();
    await page.getByRole('button', { name: 'Discard name' }).click();
    await page.getByRole('gridcell', { name: 'Mine', exact: true }).waitFor();
    await reload();
    assert.equal(await input.count(), 0, 'it is discarded');
    await watched.clean();
    await watched.context.close();
  });

  for (const colorScheme of ['dark', 'light']) {
    test(`a finger opens a cell, chooses, saves and discards, ${colorScheme}`, async () => {
      const email = `c${colorScheme === 'dark' ? 8 : 9}@example.com`;
      const context = await chrome.newContext({
        colorScheme,
        viewport: { width: 390, height: 844 },
        hasTouch: true,
        isMobile: true,
      });
      const watched = await open(chrome, server, {
        hash: `#/data/Customer?where=${encodeURIComponent(`{ email: { eq: "${email}" } }`)}`,
        context,
      });
      const { page } = watched;
      const stored = async () =>
        (await server.data(`{ customer(by: { email: "${email}" }) { name status } }`)).customer;
      const tapTwice = async name => {
        const cell = page.getByRole('gridcell', { name, exact: true });
        await cell.tap();
        await page.waitForFunction(() => document.activeElement?.tagName === 'TD');
        assert.equal(await page.locator('.cell').count(), 0, 'one tap opens nothing');
        await cell.tap();
      };
      const button = name => page.locator('.cell').getByRole('button', { name });
      await page.getByRole('tab', { name: 'Records' }).tap();
      const before = await stored();

      await tapTwice('ACTIVE');
      await page.locator('.cell select').selectOption('BLOCKED');
      await button('Save').waitFor();
      await watched.accessible('an open cell');
      await shot(page, `data-touch-${colorScheme}`);
      await button('Save').tap();
      await page.getByRole('gridcell', { name: 'BLOCKED', exact: true }).waitFor();
      assert.equal((await stored()).status, 'BLOCKED');

      await tapTwice('BLOCKED');
      await page.locator('.cell select').selectOption('ACTIVE');
      await button('Discard').tap();
      await page.getByRole('gridcell', { name: 'BLOCKED', exact: true }).waitFor();

      await tapTwice(before.name);
      await page.locator('.cell input').fill('Mine');
      await server.data(
        `mutation { updateCustomer(by: { email: "${email}" }, data: { name: "Theirs" }) { commit { version } } }`,
      );
      await button('Save').tap();
      await page.locator('.cell').getByRole('alert').getByText('name is Theirs now').waitFor();
      await shot(page, `data-touch-conflict-${colorScheme}`);
      await button('Save').tap();
      await page.getByRole('gridcell', { name: 'Mine', exact: true }).waitFor();
      assert.deepEqual(await stored(), { name: 'Mine', status: 'BLOCKED' });
      await watched.clean();
      await watched.context.close();
    });
  }

  test('a file is imported after a look at what it becomes; what is wrong with it is named', async () => {
    const watched = await show();
    const { page } = watched;
    const choose = text =>
      page
        .locator('input[type=file]')
        .setInputFiles({ name: 'a.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
    await page.getByRole('button', { name: 'Import' }).click();
    await choose('E-mail,Name\n"x@example.com,broken\n');
    await page.getByText('A quote is opened and never closed').waitFor();
    const lines = Array.from(
      { length: 250 },
      (_, at) => `i${at}@example.com,Imported ${at},${at === 120 ? 'many' : at}`,
    );
    lines.push('c5@example.com,Twice,1');
    await choose(`E-mail,NAME,loyalty_points\n${lines.join('\n')}\n`);
    await page.getByText('251 records').waitFor();
    assert.equal(await page.getByLabel('Field for loyalty_points').inputValue(), 'loyaltyPoints');
    await watched.accessible('import');
    await shot(page, 'data-import-dark');
    await page.getByRole('dialog').getByRole('button', { name: 'Import', exact: true }).click();
    await page.getByText('249 imported').waitFor();
    await page.getByText('record 121').waitFor();
    await page.getByText('record 251').waitFor();
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    await filter(page, '{ email: { startsWith: "i" } }');
    await page.getByRole('button', { name: 'Export' }).click();
    await page.getByLabel('Format').selectOption('csv');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('dialog').getByRole('button', { name: 'Export', exact: true }).click(),
    ]);
    const text = readFileSync(await download.path(), 'utf8');
    assert.equal(text.trimEnd().split('\r\n').length, 250, 'a header and 249 records');
    await watched.clean();
    await watched.context.close();
  });

  test('relations lead on, in both directions', async () => {
    const { order } =
      await server.data(`mutation { order: createOrder(data: { total: "5", shipTo: { street: "a", city: "b", zip: "c", country: "DE" },
      customer: { connect: { email: "c3@example.com" } } }) { order { id } } }`);
    assert.ok(order.order.id);
    const watched = await show({
      hash: `#/data/Customer?where=${encodeURIComponent('{ email: { eq: "c3@example.com" } }')}`,
    });
    const { page } = watched;
    await rows(page).first().getByRole('link', { name: '1 ›' }).first().click();
    const orders = page.locator('table[aria-label="Order"] tbody tr');
    await orders.first().waitFor();
    assert.equal(await orders.count(), 1);
    await orders.first().getByRole('link', { name: 'Customer 003' }).click();
    await rows(page).first().waitFor();
    await rows(page).first().getByRole('button').first().click();
    await page.getByRole('tab', { name: 'Relations' }).click();
    await page.getByRole('button', { name: 'all 1' }).first().click();
    await orders.first().waitFor();
    await watched.clean();
    await watched.context.close();
  });

  for (const scheme of ['dark', 'light']) {
    test(`axe finds nothing, ${scheme}`, async () => {
      const watched = await show({ scheme });
      const { page } = watched;
      await rows(page).nth(1).getByRole('button').first().click();
      await page.getByLabel('name String').fill('Changed');
      await page.getByText('1 change,').waitFor();
      await watched.accessible('record');
      await shot(page, `data-${scheme}`);
      await page.getByRole('tab', { name: 'Relations' }).click();
      await watched.accessible('relations');
      await watched.clean();
      await watched.context.close();
    });
  }

  test('at 390 pixels it is usable', async () => {
    const watched = await show({ width: 390, height: 844, hash: '#/data/Customer' });
    const { page } = watched;
    await page.getByRole('tab', { name: 'Records' }).click();
    await rows(page).first().getByRole('button').first().click();
    await page.getByLabel('name String').waitFor();
    await shot(page, 'data-narrow');
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
    await watched.accessible('narrow');
    await watched.clean();
    await watched.context.close();
  });
});
