//! Variables as JSON: completed and checked from the types that the operation declares.

import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { json, jsonParseLinter } from '@codemirror/lang-json';
import { ensureSyntaxTree, syntaxTree } from '@codemirror/language';
import { type Diagnostic, linter } from '@codemirror/lint';
import { EditorState, type Extension, StateEffect, StateField } from '@codemirror/state';
import type { EditorView } from '@codemirror/view';
import type { SyntaxNode } from '@lezer/common';
import {
  type GraphQLInputType,
  type GraphQLSchema,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  isScalarType,
  Kind,
  parse,
  typeFromAST,
} from 'graphql';
import { isAsked } from './ask';

/** A variable of an operation: what a value for it must be. */
export interface Wanted {
  type: GraphQLInputType;
  hasDefault: boolean;
}
export type Variables = ReadonlyMap<string, Wanted>;

/** The variables that a text's operations declare. None while it does not parse. */
export function variablesOf(schema: GraphQLSchema | undefined, text: string): Variables | undefined {
  if (!schema) return undefined;
  const found = new Map<string, Wanted>();
  try {
    for (const definition of parse(text).definitions) {
      if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
      for (const { variable, type, defaultValue } of definition.variableDefinitions ?? []) {
        const known = typeFromAST(schema, type as never);
        if (known && isInputType(known))
          found.set(variable.name.value, { type: known, hasDefault: defaultValue !== undefined });
      }
    }
    return found;
  } catch {
    return undefined;
  }
}

export const setVariables = StateEffect.define<Variables | undefined>();
const variables = StateField.define<Variables | undefined>({
  create: () => undefined,
  update(value, transaction) {
    for (const effect of transaction.effects) if (effect.is(setVariables)) return effect.value;
    return value;
  },
});

export const useVariables = (view: EditorView, found: Variables | undefined): void =>
  view.dispatch({ effects: setVariables.of(found) });

type Text = (node: SyntaxNode) => string;

const nameOf = (property: SyntaxNode, text: Text): string => {
  const name = property.getChild('PropertyName');
  if (!name) return '';
  try {
    return JSON.parse(text(name));
  } catch {
    return '';
  }
};

/** The names of properties from the top to a node; lists are looked through. */
function pathTo(node: SyntaxNode | null, text: Text): string[] {
  const path: string[] = [];
  for (let at = node; at; at = at.parent) if (at.name === 'Property') path.unshift(nameOf(at, text));
  return path;
}

const elementOf = (type: GraphQLInputType): GraphQLInputType => {
  const nullable = getNullableType(type);
  return isListType(nullable) ? elementOf(nullable.ofType as GraphQLInputType) : (nullable as GraphQLInputType);
};

/** The type that is wanted below the top by a path; `undefined` when nothing of that name is known. */
function typeAt(wanted: Variables, path: readonly string[]): GraphQLInputType | undefined {
  const [first, ...rest] = path;
  let type = first === undefined ? undefined : wanted.get(first)?.type;
  for (const name of rest) {
    const element = type && elementOf(type);
    type = isInputObjectType(element) ? element.getFields()[name]?.type : undefined;
  }
  return type;
}

/** The names that may stand in the object at a path, with their types. */
function namesAt(wanted: Variables, path: readonly string[]): Completion[] {
  if (path.length === 0) {
    return [...wanted].map(([label, { type }]) => ({ label, detail: String(type), type: 'variable' }));
  }
  const type = typeAt(wanted, path);
  const element = type && elementOf(type);
  if (!isInputObjectType(element)) return [];
  return Object.values(element.getFields()).map(field => ({
    label: field.name,
    detail: String(field.type),
    info: field.description ?? undefined,
    type: 'property',
  }));
}

function valuesOf(type: GraphQLInputType): Completion[] {
  const element = elementOf(type);
  if (isEnumType(element)) {
    return element.getValues().map(one => ({ label: one.name, info: one.description ?? undefined, type: 'enum' }));
  }
  if (isScalarType(element) && element.name === 'Boolean') return [{ label: 'true' }, { label: 'false' }];
  return [];
}

/** Longer than any variables take to parse. */
const PARSE_MS_MAX = 200;
const treeOf = (state: EditorState) => ensureSyntaxTree(state, state.doc.length, PARSE_MS_MAX) ?? syntaxTree(state);

/** What can stand where the cursor is. */
export function complete(context: CompletionContext): CompletionResult | null {
  const { state, pos } = context;
  const wanted = state.field(variables, false);
  if (!wanted || wanted.size === 0) return null;
  const text: Text = node => state.sliceDoc(node.from, node.to);
  const word = context.matchBefore(/"?\w*$/);
  const begin = word?.from ?? pos;
  if (begin === pos && !isAsked(context)) return null;
  const opened = state.sliceDoc(begin, begin + 1) === '"' && begin < pos;
  const from = opened ? begin + 1 : begin;
  const behind = /^(\w*"?)(\s*:)?/.exec(state.sliceDoc(pos, pos + 80));
  const to = pos + (behind?.[1]?.length ?? 0);
  const ahead = state.sliceDoc(0, begin).trimEnd().at(-1);
  const around = treeOf(state).resolveInner(begin, -1);
  const open = opened ? '' : '"';
  if (ahead === ':' || ahead === '[') {
    const type = typeAt(wanted, pathTo(around, text));
    const options = type ? valuesOf(type).filter(one => !opened || one.type === 'enum') : [];
    const quoted = options.map(one => (one.type === 'enum' ? { ...one, apply: `${open}${one.label}"` } : one));
    return quoted.length > 0 ? { from, to, options: quoted } : null;
  }
  if (ahead !== '{' && ahead !== ',') return null;
  // The object that the name will stand in, not the property that is being written.
  let holder: SyntaxNode | null = around;
  while (holder && holder.name !== 'Object') holder = holder.parent;
  const given = (holder?.getChildren('Property') ?? []).filter(one => one.from !== begin).map(one => nameOf(one, text));
  const options = namesAt(wanted, pathTo(holder, text))
    .filter(one => !given.includes(one.label))
    .map(one => ({ ...one, apply: `${open}${one.label}"${behind?.[2] ? '' : ': '}` }));
  return options.length > 0 ? { from, to, options } : null;
}

const KINDS: Record<string, string> = {
  String: 'String',
  Number: 'Number',
  True: 'Boolean',
  False: 'Boolean',
  Null: 'null',
};

/** Scalars whose JSON is of one kind. The others (JSON, Decimal, DateTime, ...) are checked by the server. */
const SCALAR_KINDS: Record<string, string[]> = {
  Int: ['Number'],
  Float: ['Number'],
  Boolean: ['Boolean'],
  String: ['String'],
  ID: ['String', 'Number'],
};

function check(node: SyntaxNode, type: GraphQLInputType, text: Text, out: Diagnostic[]): void {
  const complain = (message: string, at: SyntaxNode = node) =>
    void out.push({ from: at.from, to: at.to, severity: 'error', message });
  if (node.name === 'Null') {
    if (isNonNullType(type)) complain(`This must be a ${type}, and null is none.`);
    return;
  }
  const nullable = getNullableType(type);
  if (isListType(nullable)) {
    const element = nullable.ofType as GraphQLInputType;
    if (node.name !== 'Array') return check(node, element, text, out);
    for (let child = node.firstChild; child; child = child.nextSibling) {
      if (KINDS[child.name] || child.name === 'Object' || child.name === 'Array') check(child, element, text, out);
    }
    return;
  }
  if (isInputObjectType(nullable)) {
    if (node.name !== 'Object') return complain(`This must be an object: ${nullable.name}.`);
    return checkObject(node, nullable.getFields(), nullable.name, text, out);
  }
  if (node.name === 'Object' || node.name === 'Array') {
    if (isEnumType(nullable) || SCALAR_KINDS[nullable.name]) complain(`This must be a ${nullable.name}.`);
    return;
  }
  const kind = KINDS[node.name] ?? '';
  if (isEnumType(nullable)) {
    const names = nullable.getValues().map(one => one.name);
    if (kind !== 'String' || !names.includes(JSON.parse(text(node))))
      complain(`This must be one of ${names.join(', ')}.`);
    return;
  }
  const kinds = SCALAR_KINDS[nullable.name];
  if (kinds && !kinds.includes(kind)) complain(`This must be a ${nullable.name}.`);
  else if (nullable.name === 'Int' && /[.eE]/.test(text(node))) complain('This must be a whole number.');
}

type Known = Record<string, { type: GraphQLInputType; defaultValue?: unknown }>;

function checkObject(node: SyntaxNode, fields: Known, owner: string, text: Text, out: Diagnostic[]): void {
  const present = new Set<string>();
  for (const property of node.getChildren('Property')) {
    const name = nameOf(property, text);
    present.add(name);
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    const place = property.getChild('PropertyName') ?? property;
    if (!field) out.push({ from: place.from, to: place.to, severity: 'error', message: `${owner} has no "${name}".` });
    else if (property.lastChild && property.lastChild.name !== 'PropertyName')
      check(property.lastChild, field.type, text, out);
  }
  const missing = Object.entries(fields).filter(
    ([name, field]) => !present.has(name) && isNonNullType(field.type) && field.defaultValue === undefined,
  );
  if (missing.length > 0) {
    const names = missing.map(([name]) => `"${name}"`).join(', ');
    out.push({ from: node.from, to: node.from + 1, severity: 'error', message: `${names} must be given.` });
  }
}

/** What is wrong with variables as they stand. */
export function checkVariables(state: EditorState, wanted: Variables): Diagnostic[] {
  const out: Diagnostic[] = [];
  const text: Text = node => state.sliceDoc(node.from, node.to);
  const top = treeOf(state).topNode.firstChild;
  if (!top) return out;
  if (top.name !== 'Object') {
    return [{ from: top.from, to: top.to, severity: 'error', message: 'Variables are one JSON object.' }];
  }
  const fields: Known = {};
  for (const [name, { type, hasDefault }] of wanted)
    fields[name] = { type, defaultValue: hasDefault ? true : undefined };
  checkObject(top, fields, 'The operation', text, out);
  return out;
}

const variablesLinter = linter(
  view => {
    const { state } = view;
    const wanted = state.field(variables, false);
    if (state.doc.toString().trim() === '') return [];
    const syntax = jsonParseLinter()(view);
    return syntax.length > 0 || !wanted ? syntax : checkVariables(state, wanted);
  },
  { delay: 200, needsRefresh: update => update.startState.field(variables) !== update.state.field(variables) },
);

export const variablesLanguage = (): Extension => [
  json(),
  variables,
  variablesLinter,
  EditorState.languageData.of(() => [{ autocomplete: complete }]),
];
