//! What a field, an argument or an input field is, under the mouse. Descriptions come from the schema: text nodes only.

import { type EditorView, hoverTooltip } from '@codemirror/view';
import { getSchema, offsetToPos } from 'cm6-graphql';
import type { GraphQLSchema } from 'graphql';
import { getTokenAtPosition, getTypeInfo } from 'graphql-language-service';

interface Told {
  signature: string;
  description?: string | null;
}

/** What stands at an offset of an operation's text. */
export function toldAt(
  schema: GraphQLSchema,
  text: string,
  position: { line: number; character: number },
): Told | undefined {
  // biome-ignore lint/suspicious/noExplicitAny: the library wants its own class and uses two numbers of it.
  const token = getTokenAtPosition(text, position as any);
  const info = getTypeInfo(schema, token.state);
  const { kind, step } = token.state;
  if (kind === 'ObjectField' && info.objectFieldDefs) {
    const field = info.objectFieldDefs[token.state.name ?? ''];
    if (field) return { signature: `${field.name}: ${field.type}`, description: field.description };
  }
  if (kind === 'NamedType' || kind === 'TypeCondition') {
    const type = schema.getType(token.state.name ?? '');
    return type ? { signature: type.name, description: type.description } : undefined;
  }
  if (kind === 'Argument' && info.argDef) {
    return { signature: `${info.argDef.name}: ${info.argDef.type}`, description: info.argDef.description };
  }
  if ((kind === 'Field' || (kind === 'AliasedField' && step === 2)) && info.fieldDef) {
    const { name, type, description } = info.fieldDef;
    return { signature: `${info.parentType}.${name}: ${type}`, description };
  }
  return undefined;
}

function tooltip(view: EditorView, pos: number) {
  const schema = getSchema(view.state);
  if (!schema) return null;
  const { line, character } = offsetToPos(view.state.doc, pos + 1);
  const told = toldAt(schema, view.state.doc.toString(), { line, character });
  if (!told) return null;
  return {
    pos,
    create() {
      const dom = document.createElement('div');
      dom.className = 'cm-hover';
      const code = document.createElement('code');
      code.textContent = told.signature;
      dom.append(code);
      if (told.description) {
        const text = document.createElement('p');
        text.textContent = told.description;
        dom.append(text);
      }
      return { dom };
    },
  };
}

export const hover = hoverTooltip(tooltip);
