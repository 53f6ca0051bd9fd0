//! What the declared schema says of a relation when its record is deleted.

import {
  type DirectiveNode,
  type FieldDefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
  type TypeNode,
} from 'graphql';

const isList = (type: TypeNode): boolean =>
  type.kind === Kind.NON_NULL_TYPE ? isList(type.type) : type.kind === Kind.LIST_TYPE;

const nameOf = (type: TypeNode): string => (type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type));

const relation = (field?: FieldDefinitionNode) => field?.directives?.find(one => one.name.value === 'relation');

function argument(directive: DirectiveNode | undefined, name: string): string | undefined {
  const value = directive?.arguments?.find(one => one.name.value === name)?.value;
  return value && (value.kind === Kind.STRING || value.kind === Kind.ENUM) ? value.value : undefined;
}

/** `CASCADE`, `SET_NULL` or `RESTRICT`; `LINK` for a relation of many to many, whose links go. */
export function ruleOf(sdl: string, type: string, fieldName: string): string {
  const types = parse(sdl).definitions.filter(
    (one): one is ObjectTypeDefinitionNode => one.kind === Kind.OBJECT_TYPE_DEFINITION,
  );
  const fieldOf = (owner: string, name: string | undefined) =>
    types.find(one => one.name.value === owner)?.fields?.find(one => one.name.value === name);
  const field = fieldOf(type, fieldName);
  if (!field) return 'RESTRICT';
  const here = relation(field);
  const inverse = argument(here, 'inverse') ?? argument(here, 'field');
  const there = fieldOf(nameOf(field.type), inverse);
  const rule = argument(here, 'onDelete') ?? argument(relation(there), 'onDelete');
  const isMany = isList(field.type) && (there === undefined || isList(there.type));
  return rule ?? (isMany ? 'LINK' : 'RESTRICT');
}
