//! The schema's documentation: every type, and a search over types and fields.

import type {
  GraphQLArgument,
  GraphQLField,
  GraphQLInputField,
  GraphQLNamedType,
  GraphQLSchema,
  GraphQLType,
} from 'graphql';
import { getNamedType, isEnumType, isInputObjectType, isInterfaceType, isObjectType, isUnionType } from 'graphql';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { schema as schemaSignal, schemaTrouble } from '../../state/server';

export interface DocsPlace {
  type: string;
  field?: string;
}

const FOUND_MAX = 60;

/** More fields than anybody reads. With 500 collections Query alone has a thousand, which takes a second to draw. */
const FIELDS_SHOWN = 100;

type AnyField = GraphQLField<unknown, unknown> | GraphQLInputField;

const fieldsOf = (type: GraphQLNamedType): AnyField[] =>
  isObjectType(type) || isInterfaceType(type) || isInputObjectType(type) ? Object.values(type.getFields()) : [];

/** Types and fields whose names hold the text: what is named exactly so first, then what begins with it, short names first. */
export function find(schema: GraphQLSchema, text: string): DocsPlace[] {
  const wanted = text.toLowerCase();
  const found: { place: DocsPlace; cost: number }[] = [];
  const consider = (name: string, place: DocsPlace, handicap: number) => {
    const at = name.toLowerCase().indexOf(wanted);
    if (at < 0) return;
    found.push({ place, cost: name.length === wanted.length ? handicap : 1 + at + name.length / 20 + handicap });
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    consider(type.name, { type: type.name }, 0);
    for (const field of fieldsOf(type)) consider(field.name, { type: type.name, field: field.name }, 0.5);
  }
  return found
    .sort((a, b) => a.cost - b.cost)
    .slice(0, FOUND_MAX)
    .map(one => one.place);
}

export function Docs({ at, go }: { at: DocsPlace; go(place: DocsPlace): void }) {
  const schema = schemaSignal.value;
  const [text, setText] = useState('');
  const found = useMemo(() => (schema && text.trim() ? find(schema, text.trim()) : undefined), [schema, text]);
  const type = schema?.getType(at.type) ?? schema?.getQueryType();
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector('.hit')?.scrollIntoView({ block: 'center' });
  }, [at, type]);
  const show = (place: DocsPlace) => {
    setText('');
    go(place);
  };
  return (
    <>
      <div class="bar small">
        <input
          id="docs-search"
          class="grow"
          type="search"
          aria-label="Search the schema"
          placeholder="Search the schema"
          value={text}
          onInput={event => setText(event.currentTarget.value)}
        />
      </div>
      <div ref={list} class="grow scroll pad" role="region" aria-label="Documentation" tabIndex={0}>
        {!schema && <p class="muted">{schemaTrouble.value || 'The schema is being loaded.'}</p>}
        {found && (
          <ul class="fields" aria-label="Found">
            {found.map(place => (
              <li key={`${place.type}.${place.field}`}>
                <button type="button" class="link mono" onClick={() => show(place)}>
                  {place.type}
                  {place.field && <span class="field">.{place.field}</span>}
                </button>
              </li>
            ))}
            {found.length === 0 && <li class="muted">Nothing is named like that.</li>}
          </ul>
        )}
        {!found && schema && type && <TypeDocs schema={schema} type={type} field={at.field} go={show} />}
      </div>
    </>
  );
}

interface TypeProps {
  schema: GraphQLSchema;
  type: GraphQLNamedType;
  field?: string;
  go(place: DocsPlace): void;
}

function TypeDocs({ schema, type, field, go }: TypeProps) {
  const roots = [schema.getQueryType(), schema.getMutationType()].filter(one => one !== null && one !== undefined);
  return (
    <>
      <p class="crumb">
        {roots.map((root, index) => (
          <span key={root.name}>
            {index > 0 && ' · '}
            <button type="button" class="link" onClick={() => go({ type: root.name })}>
              {root.name}
            </button>
          </span>
        ))}
        {!roots.includes(type as (typeof roots)[number]) && <> › {type.name}</>}
      </p>
      <h2>{type.name}</h2>
      {type.description && <p class="muted">{type.description}</p>}
      <ul class="fields">
        <Fields key={type.name} type={type} hit={field} go={go} />
        {isEnumType(type) &&
          type.getValues().map(value => (
            <li key={value.name}>
              <code class="type">{value.name}</code>
              {value.description && <p>{value.description}</p>}
            </li>
          ))}
        {isUnionType(type) &&
          type.getTypes().map(one => (
            <li key={one.name}>
              <TypeLink type={one} go={go} />
            </li>
          ))}
      </ul>
    </>
  );
}

/** The first fields, those up to the one that is looked for, and more when they are asked for. */
function Fields({ type, hit, go }: { type: GraphQLNamedType; hit?: string; go: TypeProps['go'] }) {
  const [wanted, setWanted] = useState(FIELDS_SHOWN);
  const fields = useMemo(() => fieldsOf(type), [type]);
  const shown = Math.max(wanted, fields.findIndex(one => one.name === hit) + 1);
  // The page is rendered with each letter that is typed in the operation: these are not, until they change.
  const drawn = useMemo(
    () => fields.slice(0, shown).map(one => <FieldDocs key={one.name} field={one} hit={one.name === hit} go={go} />),
    [fields, shown, hit],
  );
  const more = Math.min(FIELDS_SHOWN, fields.length - shown);
  return (
    <>
      {drawn}
      {more > 0 && (
        <li>
          <p>
            {fields.length - shown} more: search by name, or{' '}
            <button type="button" class="link" onClick={() => setWanted(shown + FIELDS_SHOWN)}>
              show the next {more}
            </button>
          </p>
        </li>
      )}
    </>
  );
}

function FieldDocs({ field, hit, go }: { field: AnyField; hit: boolean; go: TypeProps['go'] }) {
  const args: readonly GraphQLArgument[] = 'args' in field ? field.args : [];
  return (
    <li class={hit ? 'hit' : ''}>
      <code>
        <span class="field">{field.name}</span>
        {args.length > 0 && <span class="muted">(…)</span>}: <TypeLink type={field.type} go={go} />
      </code>
      {field.description && <p>{field.description}</p>}
      {args.map(arg => (
        <code key={arg.name} class="argument">
          {arg.name}: <TypeLink type={arg.type} go={go} />
        </code>
      ))}
    </li>
  );
}

function TypeLink({ type, go }: { type: GraphQLType; go: TypeProps['go'] }) {
  const { name } = getNamedType(type);
  return (
    <button type="button" class="link" onClick={() => go({ type: name })}>
      {String(type)}
    </button>
  );
}
