//! The generated schema, as SDL: a seventh of the bytes of introspection. The browser keeps it by its ETag.

import { NoAnswer } from './errors';

/** The SDL that the server generates from what is declared. */
export async function loadSdl(): Promise<string> {
  let response: Response;
  try {
    response = await fetch('/schema.graphql', { cache: 'no-cache' });
  } catch (error) {
    throw new NoAnswer(error);
  }
  if (!response.ok) throw new Error(`The schema cannot be read now (status ${response.status}). It is tried again.`);
  return response.text();
}
