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

/** The schema with a directive at a type, or nothing where there is no such type or it has the directive. */
export function withDirective(sdl: string, type: string, directive: string): string | undefined {
  for (const definition of parse(sdl).definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION || definition.name.value !== type) continue;
    const end = (definition.directives?.at(-1) ?? definition.name).loc?.end;
    const head = sdl.slice(definition.loc?.start, end);
    return end === undefined || head.includes(directive)
      ? undefined
      : `${sdl.slice(0, end)} ${directive}${sdl.slice(end)}`;
  }
  return undefined;
}

/** The index that a step of a plan asks for, and the collection that it is missed on. */
export function missingIndex(warning: string, detail: string): { type: string; directive: string } | undefined {
  const directive = /@index\(fields: \[[^\]]*\]\)/.exec(warning)?.[0];
  const type = /every (\w+) is read/.exec(warning)?.[1] ?? /\bon (\w+)/.exec(detail)?.[1];
  return directive && type ? { directive, type } : undefined;
}

/** Puts an index at a field into the schema's text and shows it there. Nothing is applied. */
export const suggestIndex = (type: string, field: string): Promise<void> =>
  write(sdl => withIndex(sdl, type, field), `@index stands at ${type}.${field}.`, type);

/** Puts a directive at a type into the schema's text and shows it there. Nothing is applied. */
export const suggestDirective = (type: string, directive: string): Promise<void> =>
  write(sdl => withDirective(sdl, type, directive), `${directive} stands at ${type}.`, type);

async function write(change: (sdl: string) => string | undefined, done: string, type: string): Promise<void> {
  try {
    const { sdl } = await declaredSchema();
    const text = change(sdl);
    const { loadSchema, propose } = await import('../schema/declared');
    await loadSchema();
    if (text) await propose(text);
    go('schema');
    toast(text ? `${done} Look at what it costs, then apply it.` : `Write an @index on ${type} for this.`);
  } catch (error) {
    toast(messageOf(error));
  }
}
