//! An answer of 18 MB, in a real browser against the real server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { browser, open, Server, shot, shows, skip, TASK_MS_MAX, watchTasks, write } from './stage.mjs';

/** A build for tests on a machine that does other things sends 18 MB in ten seconds. */
const SERVER_MS_MAX = 60_000;

describe('an answer of 18 MB', { skip }, () => {
  const NOTES = 90;
  const TEXT = 'All that is written here is long and says little. '.repeat(4_000);
  let chrome;
  let server;
  before(async () => {
    server = await new Server(
      'type Note @collection {\n  id: ID!\n  title: String! @index\n  text: String!\n}\n',
    ).start();
    const query = 'mutation ($data: [NoteCreate!]!) { createNotes(data: $data) { affectedCount } }';
    // Four at once are less than a request may have.
    for (let first = 0; first < NOTES; first += 4) {
      const count = Math.min(4, NOTES - first);
      const data = Array.from({ length: count }, (_, at) => ({ title: `Note ${first + at}`, text: TEXT }));
      await server.data(query, { data });
    }
    chrome = await browser();
  });
  after(async () => {
    await chrome?.close();
    await server?.remove();
  });

  test('its beginning is shown at once, all of it is in the table, the clipboard and the file, and typing goes on', async () => {
    const watched = await open(chrome, server);
    const { page } = watched;
    await shows(page, 'Operation', 'nodes');
    await write(page, 'Operation', `{ notes(first: ${NOTES}, orderBy: [{ title: ASC }]) { nodes { title text } } }`);
    const longestTask = await watchTasks(chrome);
    await page.keyboard.press('Control+Enter');
    await page.locator('.status', { hasText: '18.0 MB' }).waitFor({ timeout: SERVER_MS_MAX });
    await page.getByText('The answer has 18.0 MB: its beginning is shown, with long texts cut').waitFor();
    await shows(page, 'Result', 'Note 0');
    await shows(page, 'Result', 'characters more');
    await shot(page, 'large-result-dark');
    await watched.accessible('the beginning');

    await page.locator('.cm-content[aria-label="Operation"]').click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type(' # typed on');
    await shows(page, 'Operation', '# typed on');

    await page.getByRole('tab', { name: 'Table' }).click();
    await page.getByText('The answer has 18.0 MB: long texts are cut').waitFor();
    const table = page.locator('table[aria-label="notes.nodes"]');
    await table.getByText('Note 11', { exact: true }).waitFor();
    assert.equal(await table.getAttribute('aria-rowcount'), String(NOTES + 1));
    assert.ok((await table.innerText()).length < 100_000, 'cells hold what they have room for');
    await shot(page, 'large-table-dark');
    await watched.accessible('the table');

    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByText('The result is copied.').waitFor();
    const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download' }).click(),
    ]);
    const saved = JSON.parse(readFileSync(await download.path(), 'utf8'));
    for (const { data } of [copied, saved]) {
      assert.equal(data.notes.nodes.length, NOTES);
      assert.ok(data.notes.nodes.every(note => note.text === TEXT));
    }
    const longest = await longestTask();
    assert.ok(longest < TASK_MS_MAX, `the page stood still for ${longest} ms`);
    await watched.clean();
    await watched.context.close();
  });

  test('the Data page shows records whose texts are long, and stays quick', async () => {
    const watched = await open(chrome, server);
    const { page } = watched;
    await shows(page, 'Operation', 'nodes');
    const longestTask = await watchTasks(chrome);
    await page.getByRole('link', { name: 'Data' }).click();
    const rows = page.locator('table[aria-label="Note"] tbody tr:not(.spacer)');
    await rows.first().waitFor({ timeout: SERVER_MS_MAX });
    await rows.first().getByRole('button').first().click();
    await page.getByLabel('title String').fill('Another');
    await page.getByText('1 change,').waitFor();
    const longest = await longestTask();
    assert.ok(longest < TASK_MS_MAX, `the page stood still for ${longest} ms`);
    await watched.clean();
    await watched.context.close();
  });
});
