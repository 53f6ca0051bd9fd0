//! The generated schema as collections: what a page lists, reads and writes. Loaded late, with graphql-js.

import {
  buildASTSchema,
  type DocumentNode,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isScalarType,
  parse,
} from 'graphql';
import type { Collection, Field, FieldKind, Input } from './collection';

/** The first half of reading a schema. Nobody asks where something stands in it: places are half of the memory. */
export const parseSdl = (sdl: string): DocumentNode => parse(sdl, { noLocation: true });

/** The second half. The server printed this SDL: checking it again took 40 % of the time at 500 collections. */
export const buildSchema = (document: DocumentNode): GraphQLSchema =>
  buildASTSchema(document, { assumeValid: true, assumeValidSDL: true });

/** The collections of a schema, by name. */
export function collectionsOf(schema: GraphQLSchema): Collection[] {
  const found: Collection[] = [];
  const singles = singlesOf(schema);
  const creators = creatorsOf(schema);
  for (const field of Object.values(schema.getQueryType()?.getFields() ?? {})) {
    const connection = getNamedType(field.type);
    if (!isObjectType(connection) || !connection.name.endsWith('Connection')) continue;
    const nodes = connection.getFields().nodes;
    const type = nodes && getNamedType(nodes.type);
    // A family of collections has an interface or a union as its nodes; it is read through its members.
    if (!isObjectType(type)) continue;
    found.push({
      name: type.name,
      plural: field.name,
      single: singles.get(type.name),
      ...writesOf(schema, type.name, creators),
      description: type.description ?? undefined,
      fields: Object.values(type.getFields())
        .filter(one => one.name !== '_meta')
        .map(fieldOf),
    });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function writesOf(
  schema: GraphQLSchema,
  name: string,
  creators: ReadonlyMap<string, string>,
): Pick<Collection, 'create' | 'update' | 'writes' | 'payload' | 'orders'> {
  const mutations = schema.getMutationType()?.getFields() ?? {};
  const present = (field: string) => (mutations[field] ? field : undefined);
  const order = schema.getType(`${name}Order`);
  const orders = isInputObjectType(order) ? Object.values(order.getFields()) : [];
  const payload = schema.getType(`${name}Payload`);
  return {
    create: inputsOf(schema, `${name}Create`),
    update: inputsOf(schema, `${name}Update`),
    writes: {
      create: present(`create${name}`),
      createMany: creators.get(`[${name}Create!]!`),
      update: present(`update${name}`),
      delete: present(`delete${name}`),
    },
    payload:
      (isObjectType(payload) &&
        Object.values(payload.getFields()).find(one => getNamedType(one.type).name === name)?.name) ||
      name,
    orders: orders.filter(one => getNamedType(one.type).name === 'SortDirection').map(one => one.name),
  };
}

function inputsOf(schema: GraphQLSchema, name: string): Input[] {
  const type = schema.getType(name);
  return isInputObjectType(type) ? Object.values(type.getFields()).map(inputOf) : [];
}

function inputOf(field: GraphQLInputField): Input {
  const named = getNamedType(field.type);
  const connect = isInputObjectType(named) ? named.getFields().connect : undefined;
  return {
    name: field.name,
    kind: connect ? 'relation' : isInputObjectType(named) ? 'value' : isEnumType(named) ? 'enum' : 'scalar',
    type: named.name,
    list: isList(field),
    required: isNonNullType(field.type) && field.defaultValue === undefined,
    values: isEnumType(named) ? named.getValues().map(one => one.name) : [],
    keys: connect ? keysOf(connect) : [],
    many: connect !== undefined && isList(connect),
  };
}

const isList = ({ type }: GraphQLInputField): boolean => isListType(isNonNullType(type) ? type.ofType : type);

function keysOf({ type }: GraphQLInputField): Input[] {
  const key = getNamedType(type);
  return isInputObjectType(key) ? Object.values(key.getFields()).map(inputOf) : [];
}

/** The fields that get one record, by its type: gathered once, for there are as many as collections. */
function singlesOf(schema: GraphQLSchema): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const field of Object.values(schema.getQueryType()?.getFields() ?? {})) {
    const { name } = getNamedType(field.type);
    if (!found.has(name) && field.args.some(arg => arg.name === 'by')) found.set(name, field.name);
  }
  return found;
}

/** The mutations that create, by the type of their data. */
function creatorsOf(schema: GraphQLSchema): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    const data = field.name.startsWith('create') && field.args.find(arg => arg.name === 'data');
    if (data && !found.has(String(data.type))) found.set(String(data.type), field.name);
  }
  return found;
}

function fieldOf(field: GraphQLField<unknown, unknown>): Field {
  const named = getNamedType(field.type);
  const kind = kindOf(field.type);
  const list = isListType(isNonNullType(field.type) ? field.type.ofType : field.type);
  return {
    name: field.name,
    kind,
    type: kind === 'many' ? named.name.replace(/Connection$/, '') : named.name,
    list,
    required: isNonNullType(field.type),
    description: field.description ?? undefined,
  };
}

function kindOf(type: GraphQLOutputType): FieldKind {
  const named = getNamedType(type);
  if (isScalarType(named)) return 'scalar';
  if (isEnumType(named)) return 'enum';
  if (!isObjectType(named)) return 'reference';
  if (named.name.endsWith('Connection') && named.getFields().pageInfo) return 'many';
  return named.getInterfaces().some(one => one.name === 'Node') ? 'reference' : 'value';
}
