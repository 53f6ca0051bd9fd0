//! "Fill all fields": what a selection at a place of an operation lacks, as insertions. Reads also what does not parse
//! yet, such as empty braces. Never takes anything away but the blanks between them.

import {
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
  Lexer,
  OperationTypeNode,
  Source,
  type Token,
  TokenKind,
} from 'graphql';

export interface Change {
  from: number;
  to: number;
  insert: string;
}

/** What stands between braces. */
interface Selections {
  type?: GraphQLCompositeType;
  /** Of the opening brace. */
  open: number;
  /** Of the closing brace, or where the text ends without one. */
  close: number;
  all: Selected[];
}

/** Anything that can have selections: a field, a fragment, an operation. `from` to `to` is what stands before them. */
interface Selected {
  /** What it is called in the answer. A fragment and an operation have no name there. */
  key?: string;
  type?: GraphQLCompositeType;
  from: number;
  to: number;
  selections?: Selections;
}

/** A type that leads to others without an end is followed this far. */
const DEPTH_MAX = 3;

/** What the selections at the cursor lack of their type. Nothing where there is nothing to fill. */
export function fillAt(schema: GraphQLSchema, text: string, cursor: number): Change[] {
  const tokens = tokensOf(text);
  if (!tokens) return [];
  const meant = meantOf(new Reader(schema, tokens).definitions(), cursor);
  if (!meant) return [];
  return meant.selections ? completed(schema, text, meant.selections) : added(text, meant);
}

/** Nothing when the text has what can be no token: a string without an end. */
function tokensOf(text: string): Token[] | undefined {
  const lexer = new Lexer(new Source(text));
  const tokens: Token[] = [];
  try {
    do tokens.push(lexer.advance());
    while (lexer.token.kind !== TokenKind.EOF);
    return tokens;
  } catch {
    return undefined;
  }
}

class Reader {
  #at = 0;
  constructor(
    readonly schema: GraphQLSchema,
    readonly tokens: readonly Token[],
  ) {}

  definitions(): Selected[] {
    const found: Selected[] = [];
    while (!this.#is(TokenKind.EOF)) {
      const from = this.#token.start;
      const word = this.#is(TokenKind.NAME) ? this.#take().value : OperationTypeNode.QUERY;
      if (this.#is(TokenKind.NAME)) this.#take();
      const type =
        word === 'fragment' ? this.#condition() : this.schema.getRootType(word as OperationTypeNode) || undefined;
      const definition = this.#selected({ type, from });
      // What begins nothing is passed over, so that reading comes to its end.
      if (definition.selections) found.push(definition);
      else if (this.#token.start === from) this.#take();
    }
    return found;
  }

  get #token(): Token {
    return this.tokens[this.#at] as Token;
  }

  #is(kind: TokenKind): boolean {
    return this.#token.kind === kind;
  }

  #take(): Token {
    const taken = this.#token;
    if (!this.#is(TokenKind.EOF)) this.#at += 1;
    return taken;
  }

  #typeNamed(name: string): GraphQLCompositeType | undefined {
    const type = this.schema.getType(name);
    return isCompositeType(type) ? type : undefined;
  }

  /** `on` and a type, or nothing. */
  #condition(): GraphQLCompositeType | undefined {
    if (this.#token.value !== 'on') return undefined;
    this.#take();
    return this.#is(TokenKind.NAME) ? this.#typeNamed(this.#take().value) : undefined;
  }

  /** The rest of something: arguments, directives, selections. */
  #selected(begun: Omit<Selected, 'to'>): Selected {
    while (this.#is(TokenKind.PAREN_L) || this.#is(TokenKind.AT)) {
      if (this.#is(TokenKind.PAREN_L)) this.#skipParentheses();
      else {
        this.#take();
        if (this.#is(TokenKind.NAME)) this.#take();
      }
    }
    const to = this.tokens[this.#at - 1]?.end ?? begun.from;
    return { ...begun, to, selections: this.#is(TokenKind.BRACE_L) ? this.#selections(begun.type) : undefined };
  }

  #skipParentheses(): void {
    let depth = 0;
    do {
      const { kind } = this.#take();
      if (kind === TokenKind.PAREN_L) depth += 1;
      if (kind === TokenKind.PAREN_R) depth -= 1;
    } while (depth > 0 && !this.#is(TokenKind.EOF));
  }

  #selections(type: GraphQLCompositeType | undefined): Selections {
    const open = this.#take().start;
    const all: Selected[] = [];
    while (!this.#is(TokenKind.BRACE_R) && !this.#is(TokenKind.EOF)) {
      if (this.#is(TokenKind.NAME)) all.push(this.#field(type));
      else if (this.#is(TokenKind.SPREAD)) all.push(this.#fragment(type));
      else this.#take();
    }
    return { type, open, close: this.#take().start, all };
  }

  #field(parent: GraphQLCompositeType | undefined): Selected {
    const first = this.#take();
    let name = first.value;
    if (this.#is(TokenKind.COLON)) {
      this.#take();
      name = this.#is(TokenKind.NAME) ? this.#take().value : '';
    }
    const field = parent && fieldsOf(parent)[name];
    const type = field && getNamedType(field.type);
    return this.#selected({ key: first.value, type: isCompositeType(type) ? type : undefined, from: first.start });
  }

  #fragment(parent: GraphQLCompositeType | undefined): Selected {
    const from = this.#take().start;
    const isSpread = this.#is(TokenKind.NAME) && this.#token.value !== 'on';
    if (isSpread) this.#take();
    // Without a condition its type is that of where it stands.
    return this.#selected({ type: isSpread ? undefined : (this.#condition() ?? parent), from });
  }
}

/** The innermost of what the cursor is in: between its braces, or on what stands before them. */
function meantOf(all: readonly Selected[], cursor: number): Selected | undefined {
  for (const one of all) {
    const { selections } = one;
    if (selections && selections.open < cursor && cursor <= selections.close)
      return meantOf(selections.all, cursor) ?? one;
    if (one.type && one.from <= cursor && cursor <= (selections?.open ?? one.to)) return one;
  }
  return undefined;
}

type Fields = Record<string, GraphQLField<unknown, unknown>>;

const fieldsOf = (type: GraphQLCompositeType): Fields => (isUnionType(type) ? {} : type.getFields());

const inner = (field: GraphQLField<unknown, unknown> | undefined): GraphQLCompositeType | undefined => {
  const type = field && getNamedType(field.type);
  return isCompositeType(type) ? type : undefined;
};

const isFree = (field: GraphQLField<unknown, unknown>): boolean => !field.args.some(isRequiredArgument);

/**
 * The fields that fill a type: its scalars and enums. A connection is filled by its nodes alone, for a count costs; an
 * edge by its node too; and what has nothing of its own, such as the payload of a mutation, by the first that it leads to.
 */
function filling(type: GraphQLCompositeType): GraphQLField<unknown, unknown>[] {
  const fields = fieldsOf(type);
  if (fields.pageInfo && fields.nodes) return [fields.nodes];
  const free = Object.values(fields).filter(isFree);
  const leaves = free.filter(field => isLeafType(getNamedType(field.type)));
  if (fields.cursor && fields.node) return [...leaves, fields.node];
  return leaves.length > 0 ? leaves : free.slice(0, 1);
}

function lines(field: GraphQLField<unknown, unknown>, indent: string, depth = 1): string[] {
  const type = inner(field);
  return type
    ? [`${indent}${field.name} {`, ...content(type, `${indent}  `, depth + 1), `${indent}}`]
    : [indent + field.name];
}

/** The lines that fill new braces. There is always one, for empty braces are no GraphQL. */
function content(type: GraphQLCompositeType, indent: string, depth = 1): string[] {
  const fields = depth > DEPTH_MAX ? [] : filling(type);
  return fields.length > 0 ? fields.flatMap(field => lines(field, indent, depth)) : [`${indent}__typename`];
}

/** How far the line of an offset is indented. */
const indentAt = (text: string, offset: number): string =>
  /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', offset - 1) + 1))?.[0] ?? '';

/** Braces for what has none. */
function added(text: string, { type, to }: Selected): Change[] {
  if (!type) return [];
  const indent = indentAt(text, to);
  return [{ from: to, to, insert: ` {\n${content(type, `${indent}  `).join('\n')}\n${indent}}` }];
}

/** What braces lack: also the braces of what stands in them, and the nodes of a connection. */
function completed(schema: GraphQLSchema, text: string, { type, open, close, all }: Selections): Change[] {
  if (!type) return [];
  const isRoot = isObjectType(type) && Object.values(OperationTypeNode).some(one => schema.getRootType(one) === type);
  const fields = isRoot ? [] : filling(type);
  const there = all.flatMap(one => {
    if (!one.selections) return added(text, one);
    const isFilling = fields.some(field => field.name === one.key && inner(field) === one.type);
    return isFilling ? completed(schema, text, one.selections) : [];
  });
  const missing = fields.filter(field => !all.some(one => one.key === field.name));
  if (missing.length === 0) return there;
  const between = text.slice(open + 1, close);
  const indent = indentAt(text, open);
  const written = missing.flatMap(field => lines(field, `${indent}  `)).join('\n');
  if (between.trim() === '') return [{ from: open + 1, to: close, insert: `\n${written}\n${indent}` }];
  const isOneLine = !between.includes('\n') && missing.every(field => !inner(field));
  if (isOneLine) {
    const blank = between.endsWith(' ') ? ['', ' '] : [' ', ''];
    return [
      ...there,
      { from: close, to: close, insert: `${blank[0]}${missing.map(one => one.name).join(' ')}${blank[1]}` },
    ];
  }
  // On a line of its own, the closing brace keeps its place.
  const line = text.lastIndexOf('\n', close - 1) + 1;
  return text.slice(line, close).trim() === ''
    ? [...there, { from: line, to: line, insert: `${written}\n` }]
    : [...there, { from: close, to: close, insert: `\n${written}\n${indent}` }];
}
