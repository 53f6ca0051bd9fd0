//! Which operation of a text is meant, and what it does.

import { Kind, type OperationDefinitionNode, parse } from 'graphql';

export interface Meant {
  name?: string;
  kind: 'query' | 'mutation' | 'subscription';
}

/** The operation around the cursor, else the first. A text that does not parse is the server's to explain. */
export function operationAt(text: string, cursor: number): Meant {
  let operations: OperationDefinitionNode[];
  try {
    operations = parse(text).definitions.filter(one => one.kind === Kind.OPERATION_DEFINITION);
  } catch {
    return { kind: /^\s*mutation\b/.test(text) ? 'mutation' : 'query' };
  }
  const around = operations.find(one => one.loc && one.loc.start <= cursor && cursor <= one.loc.end);
  const meant = around ?? operations.find(one => one.loc && cursor <= one.loc.end) ?? operations.at(-1);
  return { name: meant?.name?.value, kind: meant?.operation ?? 'query' };
}
