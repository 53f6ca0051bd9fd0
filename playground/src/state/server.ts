//! What the page knows of its server: whether it answers, and the schema, loaded anew whenever its version moves.

import { computed, signal } from '@preact/signals';
import type { GraphQLSchema } from 'graphql';
import { health as askHealth, type Health } from '../api/admin';
import { messageOf } from '../api/errors';
import { loadSdl } from '../api/sdl';
import type { Collection } from '../collection';

export const health = signal<Health | undefined>(undefined);
/** Why the last attempt to reach the server failed. */
export const trouble = signal('');
export const sdl = signal('');
export const schema = signal<GraphQLSchema | undefined>(undefined);
export const collections = signal<Collection[]>([]);
export const schemaTrouble = signal('');
export const isEmpty = computed(() => health.value?.schema.version === 0);

const LOOK_EVERY_MS = 5_000;
/** Sooner while it is away: a restart takes about a second. */
const LOOK_AGAIN_MS = 1_000;

let watching = false;
let loadedVersion: number | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Looks after the server from now on; loads the schema when the page stands. */
export function watchServer(): void {
  if (watching) return;
  watching = true;
  void look();
  addEventListener('focus', () => void look());
}

/** Looks now: after a change of the schema, or because somebody asked. */
export async function look(): Promise<void> {
  clearTimeout(timer);
  try {
    const found = await askHealth();
    health.value = found;
    trouble.value = '';
    if (loadedVersion !== found.schema.version) await loadSchema(found.schema.version);
  } catch (error) {
    trouble.value = messageOf(error);
  }
  clearTimeout(timer);
  timer = setTimeout(() => void look(), trouble.value ? LOOK_AGAIN_MS : LOOK_EVERY_MS);
}

async function loadSchema(version: number): Promise<void> {
  try {
    const [text, { parseSdl, buildSchema, collectionsOf }] = await Promise.all([loadSdl(), import('../catalog')]);
    if (text !== sdl.value) {
      const document = parseSdl(text);
      await keysFirst();
      const built = buildSchema(document);
      await keysFirst();
      sdl.value = text;
      schema.value = built;
      collections.value = collectionsOf(built);
    }
    loadedVersion = version;
    schemaTrouble.value = '';
  } catch (error) {
    schemaTrouble.value = messageOf(error);
  }
}

/** Lets the browser do what waits: a large schema takes a second, and somebody may be typing already. */
const keysFirst = () => new Promise(resolve => setTimeout(resolve));
