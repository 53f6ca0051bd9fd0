//! A collection as pages see it: its fields, and the root fields that read and write it.

/** What a field holds. */
export type FieldKind = 'scalar' | 'enum' | 'value' | 'reference' | 'many';

export interface Field {
  name: string;
  kind: FieldKind;
  /** The named type, without list and non-null. */
  type: string;
  list: boolean;
  required: boolean;
  description?: string;
}

export interface Collection {
  /** The type's name. */
  name: string;
  /** The root field that lists it. */
  plural: string;
  /** The root field that gets one. */
  single?: string;
  description?: string;
  fields: Field[];
  /** What a new record is given, and what an existing one can be changed in. Empty where the API does not allow it. */
  create: Input[];
  update: Input[];
  /** The mutations that write it, as far as the API has them. */
  writes: { create?: string; createMany?: string; update?: string; delete?: string };
  /** The field of a mutation's payload that holds the record. */
  payload: string;
  /** The fields that one of its orders can begin with. */
  orders: string[];
}

/** A field of an input. */
export interface Input {
  name: string;
  kind: 'scalar' | 'enum' | 'value' | 'relation';
  type: string;
  list: boolean;
  required: boolean;
  /** The values of an enum. */
  values: string[];
  /** What a related record can be named by: the keys of its collection. */
  keys: Input[];
  /** Whether it relates to many. */
  many: boolean;
}

/** A query that a collection can answer: its first page, its plain fields. */
export function sampleOf(collection: Collection): string {
  const plain = collection.fields.filter(field => field.kind === 'scalar' || field.kind === 'enum').slice(0, 8);
  const names = plain.length > 0 ? plain.map(field => field.name) : ['__typename'];
  const name = collection.plural.replace(/^./, char => char.toUpperCase());
  return `query ${name} {\n  ${collection.plural}(first: 20) {\n    nodes {\n${names
    .map(one => `      ${one}\n`)
    .join('')}    }\n    pageInfo {\n      hasNextPage\n      endCursor\n    }\n  }\n}\n`;
}
