//! Changing a field in its cell: what can be, what is sent, and what becomes of a refusal.

import { beforeEach, expect, test, vi } from 'vitest';
import sdl from '../../../schema/tests/golden/shop.api.graphql?raw';
import { buildSchema, collectionsOf, parseSdl } from '../../src/catalog';
import type { Collection } from '../../src/collection';
import { found } from '../../src/pages/data/browse';
import { discard, draft, fixed, leave, openCell, save, type } from '../../src/pages/data/draft';
import { edits, put } from '../../src/pages/data/edits';

const collections = collectionsOf(buildSchema(parseSdl(sdl)));
const customer = collections.find(one => one.name === 'Customer') as Collection;
const row = { id: 'a', name: 'Ada', loyaltyPoints: 3, birthday: '1815-12-10', _meta: { version: '1' } };
const record = (name: string, version: string) => ({ ...row, name, _meta: { version } });

/** What the server was asked; its answers are given beforehand, and the last one is given again. */
let asked: { query: string; variables: Record<string, unknown> }[] = [];
function answer(...bodies: object[]): void {
  asked = [];
  vi.stubGlobal('fetch', async (_: string, { body }: { body: string }) => {
    asked.push(JSON.parse(body));
    return new Response(JSON.stringify(bodies[Math.min(asked.length, bodies.length) - 1]));
  });
}
const saved = (name: string) => ({ data: { e0: { customer: record(name, '2') } } });
const CONFLICT = { errors: [{ message: 'no', path: ['e0'], extensions: { code: 'PRECONDITION_FAILED' } }] };

beforeEach(() => {
  draft.value = undefined;
  edits.value = [];
  found.value = { of: 'Customer', rows: [row], more: false };
  answer({});
});

test('scalars and enums that can be written are changed in cells, and everything else says why not', () => {
  const writable = customer.fields.filter(field => fixed(customer, field.name) === undefined).map(one => one.name);
  expect(writable).toEqual(expect.arrayContaining(['name', 'status', 'loyaltyPoints', 'birthday']));
  expect(fixed(customer, 'id')).toContain('the database sets it');
  expect(fixed(customer, 'updatedAt')).toContain('the database sets it');
  expect(fixed(customer, 'orders')).toContain('relation');
  expect(fixed(customer, 'tags')).toContain('in its record');
  expect(fixed({ ...customer, writes: {} }, 'name')).toContain('does not allow');
});

test('a save sends the version that was seen, and shows the record as it is then', async () => {
  answer(saved('Grace'));
  openCell(customer, 'name', row);
  type('Grace');
  expect(await save()).toBe(true);
  expect(asked[0]?.variables).toEqual({ id0: 'a', version0: '1', data0: { name: 'Grace' } });
  expect(found.value.rows[0]).toMatchObject({ name: 'Grace', _meta: { version: '2' } });
  expect(draft.value).toBeUndefined();
});

test('nothing is sent for what nobody changed, for what is no value, or when other changes wait', async () => {
  openCell(customer, 'name', row);
  expect(await save()).toBe(true);
  openCell(customer, 'loyaltyPoints', row);
  type('many');
  expect(await save()).toBe(false);
  expect(draft.value).toMatchObject({ text: 'many', fault: 'loyaltyPoints must be a number.', busy: false });
  type('4');
  expect(draft.value?.fault).toBe('');
  put({ kind: 'update', collection: customer, id: 'a', version: '1', before: row, data: { name: 'x' } });
  expect(await save()).toBe(false);
  expect(draft.value?.fault).toContain('first');
  discard();
  expect(openCell(customer, 'name', row)).toContain('first');
  expect(asked).toEqual([]);
});

test('no text is null where there can be one', async () => {
  answer(saved('Ada'));
  openCell(customer, 'birthday', row);
  type('');
  await save();
  expect(asked[0]?.variables.data0).toEqual({ birthday: null });
});

test('a conflict keeps the text, shows theirs, and a second save writes over what is known then', async () => {
  answer(CONFLICT, { data: { record: record('Theirs', '7') } }, saved('Mine'));
  openCell(customer, 'name', row);
  type('Mine');
  expect(await save()).toBe(false);
  expect(draft.value).toMatchObject({ text: 'Mine', busy: false });
  expect(draft.value?.fault).toContain('name is Theirs now');
  expect(found.value.rows[0]?.name).toBe('Theirs');
  expect(await save()).toBe(true);
  expect(asked[2]?.variables.version0).toBe('7');
});

test('a save whose answer was lost is done when it is tried again', async () => {
  answer(CONFLICT, { data: { record: record('Mine', '7') } });
  openCell(customer, 'name', row);
  type('Mine');
  expect(await save()).toBe(true);
  expect(draft.value).toBeUndefined();
});

test('a record that is gone, and a server that does not answer, leave the text', async () => {
  answer(CONFLICT, { data: { record: null } });
  openCell(customer, 'name', row);
  type('Mine');
  await save();
  expect(draft.value).toMatchObject({ text: 'Mine', fault: 'Somebody deleted the record since it was read.' });
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')));
  await save();
  expect(draft.value).toMatchObject({ text: 'Mine', busy: false });
  expect(draft.value?.fault).toContain('does not answer');
});

test('while a cell is being saved nothing else happens to it', async () => {
  answer(saved('Mine'));
  openCell(customer, 'name', row);
  type('Mine');
  const saving = save();
  discard();
  type('other');
  expect(await save()).toBe(false);
  expect(openCell(customer, 'loyaltyPoints', row)).toContain('not saved yet');
  expect(draft.value?.text).toBe('Mine');
  expect(await saving).toBe(true);
  expect(asked.length).toBe(1);
});

test('a cell that the focus leaves closes, unless something was typed', () => {
  openCell(customer, 'name', row);
  const opened = draft.value;
  if (opened) leave(opened);
  expect(draft.value).toBeUndefined();
  openCell(customer, 'name', row);
  type('x');
  if (opened) leave(opened);
  expect(draft.value?.text).toBe('x');
  expect(openCell(customer, 'loyaltyPoints', row)).toContain('name of Ada is not saved yet');
});
