//! The schema that is being written, beside the one that is applied: what it would change, trying it, applying it.

import { signal } from '@preact/signals';
import {
  type Applied,
  applySchema,
  type Change,
  type DeclaredSchema,
  declaredSchema,
  diffSchema,
  type SchemaFault,
  type SchemaProgress,
  schemaProgress,
} from '../../api/admin';
import { messageOf } from '../../api/errors';
import { Leavings, whenLeaving } from '../../state/leaving';
import { look } from '../../state/server';
import { all, put, remove, type Stored } from '../../state/store';

/** A text that is not applied yet: it outlives the window. */
interface Draft extends Stored {
  sdl: string;
  /** The version that it was written against. */
  base: number;
}

const DRAFT = 'schema';
const leavings = new Leavings<Draft>('localStorage', 'drafts');

export const applied = signal<DeclaredSchema | undefined>(undefined);
/** The version that the text was written against. */
export const base = signal(0);
export const text = signal('');
/** Grows when the text was replaced from outside its editor. */
export const textReplaced = signal(0);
export const changes = signal<Change[]>([]);
export const faults = signal<SchemaFault[]>([]);
export const trouble = signal('');
export const busy = signal('');
/** How far it is that is busy. */
export const progress = signal<SchemaProgress | undefined>(undefined);
/** What came of the last try or application. */
export const outcome = signal<{ good: boolean; text: string } | undefined>(undefined);

/** What somebody can start from: three collections with relations, as the README has them. */
export const FIRST_SCHEMA = `# Types with @collection are stored. Vivarium makes their queries, filters and mutations.

type Artist @collection {
  id: ID!
  name: String! @unique
  albums: [Album!]! @relation(inverse: "artist", onDelete: CASCADE)
}

type Album @collection {
  id: ID!
  title: String! @index
  artist: Artist! @relation(inverse: "albums")
  tracks: [Track!]! @relation(inverse: "album", onDelete: CASCADE)
}

type Track @collection {
  id: ID!
  name: String! @index
  milliseconds: Int! @default(value: 0) @check(expr: { gte: 0 })
  composer: String
  album: Album @relation(inverse: "tracks")
}
`;

export const isChanged = () => text.value !== (applied.value?.sdl ?? '');

/** Reads what is applied, and the draft of earlier if there is one. */
export async function loadSchema(): Promise<void> {
  try {
    const found = await declaredSchema();
    applied.value = found;
    trouble.value = '';
    for (const draft of leavings.left()) await keep(draft);
    if (unkept) await keep(draftOf(text.value));
    const draft = (await all<Draft>('drafts')).find(one => one.id === DRAFT);
    base.value = draft?.base ?? found.version;
    replaceText(draft?.sdl ?? (found.version === 0 ? FIRST_SCHEMA : found.sdl));
  } catch (error) {
    trouble.value = messageOf(error);
  }
}

/** Notices that another one applied a schema: the text stays, and is compared with the new one. */
export async function followApplied(version: number): Promise<void> {
  if (!applied.value || applied.value.version === version || busy.value) return;
  const untouched = !isChanged();
  try {
    applied.value = await declaredSchema();
  } catch {
    return;
  }
  if (untouched) await discard();
  else void compare();
}

function replaceText(sdl: string): void {
  clearTimeout(soon);
  unkept = false;
  text.value = sdl;
  textReplaced.value += 1;
  void compare();
}

const COMPARE_AFTER_MS = 350;
let soon: ReturnType<typeof setTimeout> | undefined;
/** Whether the text is typed and not kept yet. */
let unkept = false;

/** Takes over what was typed; compares and keeps it soon. */
export function type(sdl: string): void {
  text.value = sdl;
  outcome.value = undefined;
  unkept = true;
  clearTimeout(soon);
  soon = setTimeout(() => {
    void compare();
    void keep(draftOf(sdl));
  }, COMPARE_AFTER_MS);
}

const draftOf = (sdl: string): Draft => ({ id: DRAFT, sdl, base: base.value });

/** Keeps a draft; one that says what is applied is none. */
async function keep(draft: Draft): Promise<void> {
  if (draft.sdl === applied.value?.sdl) await remove('drafts', draft.id);
  else await put('drafts', draft);
  if (text.value === draft.sdl) unkept = false;
  leavings.settle(draft.id);
}

whenLeaving(() => {
  if (unkept) leavings.leave(draftOf(text.value));
});

let asked = 0;

async function compare(): Promise<void> {
  asked += 1;
  const turn = asked;
  try {
    const found = text.value.trim() ? await diffSchema(text.value) : { __typename: 'SchemaDiff' as const, changes: [] };
    if (turn !== asked) return;
    trouble.value = '';
    faults.value = found.__typename === 'InvalidSchema' ? found.errors : [];
    changes.value = found.__typename === 'SchemaDiff' ? found.changes : [];
  } catch (error) {
    if (turn === asked) trouble.value = messageOf(error);
  }
}

/** Back to what is applied. */
export async function discard(): Promise<void> {
  await remove('drafts', DRAFT);
  outcome.value = undefined;
  base.value = applied.value?.version ?? 0;
  replaceText(applied.value?.sdl || (base.value === 0 ? FIRST_SCHEMA : ''));
}

/** Puts a text in the editor, for instance one of the history. */
export async function propose(sdl: string): Promise<void> {
  replaceText(sdl);
  await keep(draftOf(sdl));
}

/** Applies the text, or tries how that would go. `force` makes breaking changes too. */
export async function apply(options: { dryRun: boolean; force: boolean }): Promise<boolean> {
  busy.value = options.dryRun ? 'Trying' : 'Applying';
  const stop = followProgress();
  outcome.value = undefined;
  try {
    const result = await applySchema(text.value, { ...options, expectedVersion: base.value });
    outcome.value = tell(result, options.dryRun);
    if (result.__typename === 'InvalidSchema') faults.value = result.errors;
    if (result.__typename !== 'AppliedSchema' || options.dryRun) return false;
    await remove('drafts', DRAFT);
    applied.value = { sdl: text.value, version: result.version };
    base.value = result.version;
    changes.value = [];
    await look();
    return true;
  } catch (error) {
    outcome.value = { good: false, text: messageOf(error) };
    return false;
  } finally {
    stop();
    busy.value = '';
  }
}

const LOOK_EVERY_MS = 150;

/** Looks again and again how far a change is, until it is told to stop. What cannot be asked is not shown. */
function followProgress(): () => void {
  let over = false;
  const look = async () => {
    const found = await schemaProgress().catch(() => undefined);
    if (over) return;
    progress.value = found;
    timer = setTimeout(look, LOOK_EVERY_MS);
  };
  let timer = setTimeout(look, LOOK_EVERY_MS);
  return () => {
    over = true;
    clearTimeout(timer);
    progress.value = undefined;
  };
}

/** How far a change is, in words. */
export function tellProgress({ collection, step, records, of }: SchemaProgress): string {
  const number = (value: number) => value.toLocaleString('en');
  const all = of.whole ? number(of.rows) : `more than ${number(of.rows)}`;
  return `${collection}: ${number(Number(records))} of ${all} ${step === 'CHECK' ? 'read' : 'written'}`;
}

function tell(result: Applied, dryRun: boolean): { good: boolean; text: string } {
  switch (result.__typename) {
    case 'AppliedSchema': {
      const written =
        result.backfilled === '0'
          ? ''
          : ` Index entries of ${result.backfilled} documents ${dryRun ? 'would be' : 'were'} written.`;
      return {
        good: true,
        text: dryRun ? `It would be applied.${written}` : `Version ${result.version} is applied.${written}`,
      };
    }
    case 'InvalidSchema':
      return { good: false, text: 'The schema has errors. They are underlined.' };
    case 'RefusedChange':
      return { good: false, text: result.reason };
    case 'VersionMismatch':
      return {
        good: false,
        text: `Somebody applied version ${result.found} meanwhile; this was written against version ${result.expected}. Look at what changes now, then apply again.`,
      };
  }
}

/** After a mismatch: from now on the text is meant against what is applied. */
export async function rebase(): Promise<void> {
  try {
    applied.value = await declaredSchema();
    base.value = applied.value.version;
    await keep(draftOf(text.value));
    outcome.value = undefined;
    await compare();
  } catch (error) {
    trouble.value = messageOf(error);
  }
}
