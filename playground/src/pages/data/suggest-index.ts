//! An index is SDL: it is written into the declared schema, and the Schema page shows what it costs before it is applied.

import { Kind, parse } from 'graphql';
import { declaredSchema } from '../../api/admin';
import { messageOf } from '../../api/errors';
import { go } from '../../router';
import { toast } from '../../ui/Toast';

/** The schema with `@index` at a field, or nothing where there is no such field or it has one. */
export function withIndex(sdl: string, type: string, field: string): string | undefined {
  for (const definition of parse(sdl).definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION || definition.name.value !== type) continue;
    const found = definition.fields?.find(one => one.name.value === field);
    const end = found?.loc?.end;
    if (end === undefined || found?.directives?.some(one => ['index', 'unique', 'relation'].includes(one.name.value)))
      return undefined;
    return `${sdl.slice(0, end)} @index${sdl.slice(end)}`;
  }
  return undefined;
}

/** Puts the index into the schema's text and shows it there. Nothing is applied. */
export async function suggestIndex(type: string, field: string): Promise<void> {
  try {
    const { sdl } = await declaredSchema();
    const text = withIndex(sdl, type, field);
    const { loadSchema, propose } = await import('../schema/declared');
    await loadSchema();
    if (text) await propose(text);
    go('schema');
    toast(
      text
        ? `@index stands at ${type}.${field}. Look at what it costs, then apply it.`
        : `Write an @index on ${type} for this.`,
    );
  } catch (error) {
    toast(messageOf(error));
  }
}
