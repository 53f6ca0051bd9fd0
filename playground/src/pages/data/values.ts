//! Values as people type them, and back.

import type { Input } from '../../collection';

const NUMBERS = new Set(['Int', 'Float']);

/** A value as a text that `read` reads back. */
export function write(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Whether a field is typed as JSON: objects, lists, and JSON itself. */
export const isJson = (input: Input): boolean =>
  input.list || input.kind === 'value' || input.kind === 'relation' || input.type === 'JSON';

/** The only values that a field can have, where they can be listed. */
export function choicesOf(input: Input): string[] {
  if (input.list) return [];
  return input.type === 'Boolean' ? ['true', 'false'] : input.values;
}

/** The value of a text, where no text stands for null if there can be one. Fails with a sentence. */
export const readOrNull = (input: Input, text: string, isNullable: boolean): unknown =>
  isNullable && text === '' ? null : read(input, text);

/** The value of a text. Fails with a sentence. */
export function read(input: Input, text: string): unknown {
  if (isJson(input)) {
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`${input.name} is written as JSON, for example ${input.list ? '["a", "b"]' : '{ "key": 1 }'}.`);
    }
  }
  if (NUMBERS.has(input.type)) {
    const number = Number(text);
    if (text.trim() === '' || !Number.isFinite(number)) throw new Error(`${input.name} must be a number.`);
    return number;
  }
  if (input.type === 'Boolean') {
    const lower = text.trim().toLowerCase();
    if (!['true', 'false'].includes(lower)) throw new Error(`${input.name} must be true or false.`);
    return lower === 'true';
  }
  return text;
}
