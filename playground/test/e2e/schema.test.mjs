//! The Schema page in a real browser against the real server: from an empty database to a changed schema.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browser, open, Server, shot, shows, skip, textOf, write } from './stage.mjs';

const NOTE = 'type Note @collection {\n  id: ID!\n  text: String!\n}\n';

describe('schema', { skip }, () => {
  let chrome;
  let server;
  before(async () => {
    server = await new Server().start();
    chrome = await browser();
  });
  after(async () => {
    await chrome?.close();
    await server?.remove();
  });

  test('an empty database leads to a first collection, which can be queried without a reload', async () => {
    const watched = await open(chrome, server);
    const { page } = watched;
    await page.getByRole('link', { name: 'Declare the first one' }).click();
    await shows(page, 'Schema', 'Artist');
    await page.getByText('Artist', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByText('It would be applied.').waitFor();
    await shot(page, 'schema-first-dark');
    await page.getByRole('button', { name: /Apply v1/ }).click();
    await page.getByText('Version 1 is applied.').first().waitFor();
    await page.getByRole('button', { name: 'Add records' }).click();
    await page.getByRole('link', { name: 'Query' }).click();
    await write(page, 'Operation', 'mutation { createArtist(data: { name: "Nina" }) { artist { nam');
    await page.keyboard.press('Control+Space');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'nameString!' }).first().waitFor();
    await write(
      page,
      'Operation',
      'mutation { createArtist(data: { name: "Nina", albums: { create: [{ title: "Silk" }] } }) { artist { id } } }',
    );
    await page.keyboard.press('Control+Enter');
    await page.locator('.status .ok').waitFor();
    assert.equal((await server.data('{ albums { totalCount } }')).albums.totalCount, 1);
    await watched.clean();
    await watched.context.close();
  });

  test('changes are marked by what they cost, errors stand in the text, and breaking ones need a word more', async () => {
    const watched = await open(chrome, server, { hash: '#/schema' });
    const { page } = watched;
    await shows(page, 'Schema', 'Artist');
    const sdl = await textOf(page, 'Schema');
    await write(page, 'Schema', `${sdl}\ntype Broken @collection {\n  id: ID!\n  x: Nope\n}\n`);
    await page.locator('.errors li').first().waitFor();
    await page.locator('.cm-content[aria-label="Schema"] .cm-lintRange-error').first().waitFor();
    await page.reload();
    await page.locator('.cm-content[aria-label="Schema"] .cm-lintRange-error').first().waitFor();
    assert.ok(await page.getByRole('button', { name: 'Dry run' }).isDisabled());

    await write(page, 'Schema', sdl.replace('composer: String\n', 'composer: String @index\n  bpm: Int\n'));
    await page.getByText('needs backfill').waitFor();
    await page.getByText('✓ safe').first().waitFor();
    await page.getByRole('tab', { name: 'Compare' }).click();
    await shows(page, 'Changes in the text', 'bpm');
    await shot(page, 'schema-compare-dark');
    await page.getByRole('tab', { name: 'Schema', exact: true }).click();
    await page.getByRole('button', { name: /Apply v2/ }).click();
    await page.getByText('Version 2 is applied.').first().waitFor();

    await write(page, 'Schema', sdl.replace('  composer: String\n', ''));
    await page.getByText('✗ breaking').first().waitFor();
    assert.ok(await page.getByRole('button', { name: /Apply v3/ }).isDisabled());
    await page.reload();
    await page.getByText('● not applied').waitFor();
    assert.ok(!(await textOf(page, 'Schema')).includes('composer'), 'a draft outlives a reload');
    await page.getByRole('button', { name: 'Discard' }).click();
    await page.getByText('Nothing would change.').waitFor();
    await page.getByRole('tab', { name: 'Versions' }).click();
    await page.getByRole('button', { name: /^Version 1/ }).click();
    await page.getByText('✗ breaking').first().waitFor();
    await page.getByRole('button', { name: 'Discard' }).click();
    await watched.clean();
    await watched.context.close();
  });

  test('two people who change the schema are told of each other', async () => {
    const watched = await open(chrome, server, { hash: '#/schema' });
    const { page } = watched;
    await shows(page, 'Schema', 'Artist');
    const sdl = await textOf(page, 'Schema');
    await write(page, 'Schema', `${sdl}\n${NOTE}`);
    await page.reload();
    await shows(page, 'Schema', 'Note');
    await page.getByText('✓ safe').first().waitFor();
    await server.apply(sdl.replace('bpm: Int', 'bpm: Int\n  year: Int'));
    await page.getByRole('button', { name: /Go on from version 3/ }).waitFor();
    // It would undo what the other one did.
    await page.getByText('✗ breaking').first().waitFor();
    await page.getByRole('button', { name: /Go on from version 3/ }).click();
    await page.getByRole('button', { name: /Go on from version 3/ }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Discard' }).click();
    await shows(page, 'Schema', 'year: Int');
    await watched.clean();
    await watched.context.close();
  });

  test('directives and types are completed', async () => {
    const watched = await open(chrome, server, { hash: '#/schema' });
    const { page } = watched;
    await shows(page, 'Schema', 'Artist');
    await write(page, 'Schema', 'type Note @coll');
    await page.keyboard.press('Control+Space');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: '@collection' }).click();
    await page.keyboard.insertText(' {\n  id: ID!\n  text: Str');
    await page.keyboard.press('Control+Space');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'String' }).click();
    assert.match(await textOf(page, 'Schema'), /type Note @collection \{\n {2}id: ID!\n {2}text: String/);
    await page.getByRole('button', { name: 'Discard' }).click();
    await shows(page, 'Schema', 'Artist');
    await watched.clean();
    await watched.context.close();
  });

  for (const scheme of ['dark', 'light']) {
    test(`axe finds nothing, ${scheme}`, async () => {
      const watched = await open(chrome, server, { hash: '#/schema', scheme });
      const { page } = watched;
      await shows(page, 'Schema', 'Artist');
      await write(page, 'Schema', NOTE);
      await page.getByText('✗ breaking').first().waitFor();
      await watched.accessible('changes');
      await shot(page, `schema-${scheme}`);
      await page.getByRole('tab', { name: 'Compare' }).click();
      await shows(page, 'Changes in the text', 'Note');
      await watched.accessible('compare');
      await page.getByRole('tab', { name: 'Graph' }).click();
      await page
        .getByRole('button', { name: /^Album/ })
        .first()
        .click();
      await shot(page, `schema-graph-${scheme}`);
      await watched.accessible('graph');
      await page.getByRole('tab', { name: 'Versions' }).click();
      await watched.accessible('versions');
      await watched.clean();
      await watched.context.close();
    });
  }

  test('who applies an index to many records is told how far it is', async () => {
    const large = await new Server(NOTE).start();
    const create = 'mutation ($data: [NoteCreate!]!) { createNotes(data: $data) { affectedCount } }';
    for (let part = 0; part < 10; part++) {
      await large.data(create, { data: Array.from({ length: 1000 }, (_, at) => ({ text: `note ${part} ${at}` })) });
    }
    const watched = await open(chrome, large, { hash: '#/schema' });
    const { page } = watched;
    await shows(page, 'Schema', 'Note');
    await write(page, 'Schema', NOTE.replace('text: String!', 'text: String! @index'));
    await page.getByText('needs backfill').waitFor();
    await page.getByRole('button', { name: /Apply v2/ }).click();
    await page.getByText(/^Note: [\d,]+ of 10,000 written$/).waitFor();
    await shot(page, 'schema-progress-dark');
    await page.getByText('Version 2 is applied. Index entries of 10000 documents were written.').waitFor();
    await page.getByText(/of 10,000 written/).waitFor({ state: 'detached' });
    await watched.clean();
    await watched.context.close();
    await large.remove();
  });

  test('at 390 pixels it is usable', async () => {
    const watched = await open(chrome, server, { hash: '#/schema', width: 390, height: 844 });
    const { page } = watched;
    await shows(page, 'Schema', 'Artist');
    await page.getByRole('tab', { name: 'Changes', exact: true }).first().click();
    await page.getByText('Nothing would change.').waitFor();
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
    await shot(page, 'schema-narrow');
    await watched.accessible('narrow');
    await watched.context.close();
  });
});
