//! What somebody does who sees the page for the first time, beside a shop that is served already: nothing but what is
//! to be seen on it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browser, open, Server, SHOP, shot, shows, skip } from './stage.mjs';

const MUSIC = `
type Album @collection {
  id: ID!
  albumId: Int! @unique
  title: String! @index
  tracks: [Track!]! @relation(inverse: "album")
}

type Track @collection {
  id: ID!
  trackId: Int! @unique
  name: String! @index
  composer: String
  milliseconds: Int
  album: Album @relation(inverse: "tracks")
}
`;

/** As other databases export them: a row names the row that it belongs to by its number. */
const ALBUMS = [1, 2].map(at => ({ album_id: at, title: `Album ${at}` }));
const TRACKS = Array.from({ length: 150 }, (_, at) => ({
  track_id: at + 1,
  name: `Track ${at + 1}`,
  album_id: (at % 2) + 1,
  genre_id: 1,
  composer: at % 3 ? 'Somebody' : null,
  milliseconds: 200_000 + at,
}));

describe('a newcomer', { skip }, () => {
  let chrome;
  let server;
  before(async () => {
    server = await new Server(SHOP).start();
    chrome = await browser();
  });
  after(async () => {
    await chrome?.close();
    await server?.remove();
  });

  test('declares collections, imports tracks, asks for them with their albums, sees the plan, and edits one', async () => {
    const watched = await open(chrome, server, { scheme: 'light', width: 1280, height: 800 });
    const { page } = watched;
    const button = name => page.getByRole('button', { name, exact: true });
    await shows(page, 'Operation', 'nodes');

    await page.getByRole('link', { name: 'Schema' }).click();
    await shows(page, 'Schema', 'Customer');
    await page.locator('.cm-content[aria-label="Schema"]').click();
    await page.keyboard.press('Control+End');
    await page.keyboard.insertText(MUSIC);
    await page.getByText('✓ safe').first().waitFor();
    await page.getByRole('button', { name: /^Apply v2/ }).click();
    await page.getByText('Version 2 is applied.').first().waitFor();

    await page.getByRole('link', { name: 'Data' }).click();
    for (const [name, rows] of Object.entries({ Album: ALBUMS, Track: TRACKS })) {
      await button(name).click();
      await page.getByText(`${name} has no records yet.`).waitFor();
      await watched.accessible(`${name} without records`);
      await button('Import a file').click();
      const buffer = Buffer.from(rows.map(row => JSON.stringify(row)).join('\n'));
      await page.locator('input[type=file]').setInputFiles({ name: 'a.jsonl', mimeType: 'application/json', buffer });
      await page.getByText(`${rows.length} records`).waitFor();
      await shot(page, `newcomer-import-${name}`);
      await page.getByRole('dialog').getByRole('button', { name: 'Import', exact: true }).click();
      await page.getByText(`${rows.length} imported`).waitFor();
      await button('Close').click();
    }

    await page.getByRole('link', { name: 'Query' }).click();
    await button('New tab').click();
    await page.locator('[role=tab][aria-selected=true]', { hasText: 'untitled' }).waitFor();
    await page.locator('.cm-content[aria-label="Operation"]').click();
    await page.keyboard.insertText(
      '{ tracks(first: 3, where: { name: { eq: "Track 7" } }) { nodes { name album { title } } } }',
    );
    await page.keyboard.press('Control+Enter');
    await shows(page, 'Result', '"Album 1"');
    await page.getByRole('tab', { name: 'Plan' }).click();
    await page.locator('table[aria-label="Plan"]').getByText('index name on Track').waitFor();
    await shot(page, 'newcomer-plan');

    await page.getByRole('link', { name: 'Data' }).click();
    await button('Track').click();
    await page.getByRole('gridcell', { name: 'Track 7', exact: true }).dblclick();
    await page.locator('.cell').waitFor();
    await page.keyboard.press('Control+a');
    await page.keyboard.type('My song');
    await page.keyboard.press('Enter');
    await page.getByRole('gridcell', { name: 'My song', exact: true }).waitFor();
    const { track } = await server.data('{ track(by: { trackId: 7 }) { name album { albumId } } }');
    assert.deepEqual(track, { name: 'My song', album: { albumId: 1 } });
    await watched.clean();
    await watched.context.close();
  });
});
