//! The operations that the Data page reads with: one page of a collection, always with a limit and a cursor.

import { type GraphQLSchema, getNamedType, isObjectType, parse } from 'graphql';
import type { Collection, Field } from '../../collection';

export const PAGE = 50;
/** Relations that a row shows as a count each: more would read too much for a look. */
const COUNTS_MAX = 4;
/** Embedded values nest; the grid shows what is near. */
const DEPTH_MAX = 3;

export interface Sort {
  field: string;
  descending: boolean;
}

/** What the records of a type are called: the first of these that it has. */
const NAMES = ['name', 'title', 'label', 'slug', 'email', 'number', 'code'];

export const nameFieldOf = (collection: Collection | undefined): string | undefined =>
  NAMES.find(name => collection?.fields.some(field => field.name === name && field.kind === 'scalar'));

function valueSelection(schema: GraphQLSchema, type: string, depth: number): string {
  const found = schema.getType(type);
  if (!isObjectType(found) || depth > DEPTH_MAX) return '{ __typename }';
  const inner = Object.values(found.getFields()).map(field => {
    const named = getNamedType(field.type);
    if (!isObjectType(named)) return field.name;
    return named.getInterfaces().some(one => one.name === 'Node')
      ? `${field.name} { id }`
      : `${field.name} ${valueSelection(schema, named.name, depth + 1)}`;
  });
  return `{ ${inner.join(' ')} }`;
}

/** The fields of a collection as the grid selects them. */
export function selectionOf(
  schema: GraphQLSchema,
  collection: Collection,
  all: readonly Collection[],
  counts = COUNTS_MAX,
): string {
  let counted = 0;
  const select = (field: Field): string | undefined => {
    switch (field.kind) {
      case 'scalar':
      case 'enum':
        return field.name;
      case 'value':
        return `${field.name} ${valueSelection(schema, field.type, 1)}`;
      case 'reference': {
        const name = nameFieldOf(all.find(one => one.name === field.type));
        return `${field.name} { id ${name ?? ''} }`;
      }
      case 'many':
        counted += 1;
        return counted > counts ? undefined : `${field.name} { totalCount }`;
    }
  };
  return `${collection.fields.map(select).filter(Boolean).join(' ')} _meta { version }`;
}

/** Where a filter is wrong, as a sentence; nothing when it is a literal of the collection's filter language. */
export function filterFault(filter: string): string | undefined {
  if (filter.trim() === '') return undefined;
  if (!filter.trim().startsWith('{')) return 'A filter is written as { field: { eq: … } }.';
  try {
    parse(`{ a(where: ${filter}) }`, { noLocation: true });
    return undefined;
  } catch (error) {
    return `The filter cannot be read: ${error instanceof Error ? error.message.replace(/^Syntax Error: /, '') : error}`;
  }
}

/** A query for one page. The cursor is its only variable. */
export function pageQuery(
  collection: Collection,
  selection: string,
  filter: string,
  sort: Sort | undefined,
  first = PAGE,
): string {
  const args = [`first: ${first}`, 'after: $after'];
  if (filter.trim()) args.push(`where: ${filter.trim()}`);
  if (sort) args.push(`orderBy: [{ ${sort.field}: ${sort.descending ? 'DESC' : 'ASC'} }]`);
  return `query Browse($after: String) { ${collection.plural}(${args.join(', ')}) { nodes { ${selection} } pageInfo { hasNextPage endCursor } } }`;
}

/** A filter for the records that lead to one: through the only field that can. */
export function filterBack(target: Collection, type: string, id: string): string | undefined {
  const back = target.fields.filter(
    field => field.type === type && (field.kind === 'reference' || field.kind === 'many'),
  );
  const [only] = back;
  if (!only || back.length > 1) return undefined;
  const inner = `{ id: { eq: ${JSON.stringify(id)} } }`;
  return only.kind === 'many' ? `{ ${only.name}: { some: ${inner} } }` : `{ ${only.name}: ${inner} }`;
}

/** The field that a filter begins with: what an index would have to begin with too. */
export const firstFieldOf = (filter: string): string | undefined => /^\{\s*(\w+)\s*:/.exec(filter.trim())?.[1];
