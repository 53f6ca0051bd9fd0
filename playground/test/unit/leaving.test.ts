//! What a page leaves for the next one: in the storage that is named, and never at the cost of the page.

import { beforeEach, expect, test, vi } from 'vitest';
import { Leavings } from '../../src/state/leaving';
import { Shelf } from './shelf';

interface Note {
  id: string;
  text: string;
}

beforeEach(() => {
  vi.stubGlobal('sessionStorage', new Shelf());
  vi.stubGlobal('localStorage', new Shelf());
});

test('what is left stays until it is settled, by its id', () => {
  const notes = new Leavings<Note>('sessionStorage', 'notes');
  notes.leave({ id: 'a', text: 'first' });
  notes.leave({ id: 'a', text: 'second' });
  notes.leave({ id: 'b', text: 'other' });
  expect(notes.left().map(note => note.text)).toEqual(['second', 'other']);
  notes.settle('a');
  expect(new Leavings<Note>('sessionStorage', 'notes').left()).toEqual([{ id: 'b', text: 'other' }]);
});

test('storages and kinds are kept apart', () => {
  new Leavings<Note>('sessionStorage', 'notes').leave({ id: 'a', text: 'mine' });
  expect(new Leavings<Note>('localStorage', 'notes').left()).toEqual([]);
  expect(new Leavings<Note>('sessionStorage', 'drafts').left()).toEqual([]);
});

test('a browser that refuses its storage keeps nothing, and stops nothing', () => {
  Object.defineProperty(globalThis, 'localStorage', {
    configurable: true,
    get: () => {
      throw new DOMException('denied', 'SecurityError');
    },
  });
  const notes = new Leavings<Note>('localStorage', 'notes');
  notes.leave({ id: 'a', text: 'lost' });
  notes.settle('a');
  expect(notes.left()).toEqual([]);
});
