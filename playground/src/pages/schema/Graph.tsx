//! One collection and what it is related to, one step around: who leads here at the left, where it leads at the right.

import type { Collection, Field } from '../../collection';

const BOX = { width: 148, height: 30 };
const GAP = { x: 104, y: 44 };
const MARGIN = 16;

interface Edge {
  field: string;
  type: string;
  many: boolean;
  required: boolean;
}

const edge = (field: Field): Edge => ({
  field: field.name,
  type: field.type,
  many: field.kind === 'many',
  required: field.required,
});

/** The relations of a collection: those that lead to one record stand right, to many left. */
export function relationsOf(collection: Collection): { left: Edge[]; right: Edge[] } {
  const all = collection.fields.filter(field => field.kind === 'many' || field.kind === 'reference').map(edge);
  return { left: all.filter(one => one.many), right: all.filter(one => !one.many) };
}

export function Graph({ collection, go }: { collection: Collection; go(name: string): void }) {
  const { left, right } = relationsOf(collection);
  const rows = Math.max(left.length, right.length, 1);
  const height = rows * GAP.y + 2 * MARGIN;
  const width = 3 * BOX.width + 2 * GAP.x + 2 * MARGIN;
  const middle = height / 2;
  const center = MARGIN + BOX.width + GAP.x;
  const place = (at: number, count: number) => middle + (at - (count - 1) / 2) * GAP.y;
  return (
    <div class="grow scroll" role="region" aria-label="Graph" tabIndex={0}>
      <svg
        class="graph"
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-label={`Relations of ${collection.name}`}
      >
        {left.map((one, at) => (
          <Arm key={one.field} edge={one} x={MARGIN} y={place(at, left.length)} from={center} middle={middle} go={go} />
        ))}
        {right.map((one, at) => (
          <Arm
            key={one.field}
            edge={one}
            x={center + BOX.width + GAP.x}
            y={place(at, right.length)}
            from={center + BOX.width}
            middle={middle}
            go={go}
          />
        ))}
        <rect class="here" x={center} y={middle - BOX.height / 2} width={BOX.width} height={BOX.height} rx="4" />
        <text class="name" x={center + BOX.width / 2} y={middle + 4} text-anchor="middle">
          {collection.name}
        </text>
        {left.length + right.length === 0 && (
          <text x={center + BOX.width / 2} y={middle + 34} text-anchor="middle">
            It has no relations.
          </text>
        )}
      </svg>
      <ul class="fields pad">
        {[...right, ...left].map(one => (
          <li key={one.field}>
            <code>
              <span class="field">{one.field}</span>{' '}
              {one.many ? 'leads to many' : one.required ? 'leads to one' : 'leads to one or none'}:{' '}
              <button type="button" class="link" onClick={() => go(one.type)}>
                {one.type}
              </button>
            </code>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface ArmProps {
  edge: Edge;
  x: number;
  y: number;
  /** Where the edge begins at the box in the middle. */
  from: number;
  middle: number;
  go(name: string): void;
}

function Arm({ edge, x, y, from, middle, go }: ArmProps) {
  const isRight = x > from;
  const end = isRight ? x : x + BOX.width;
  const bend = (from + end) / 2;
  return (
    <g>
      <path class="edge" d={`M${from} ${middle} C${bend} ${middle} ${bend} ${y} ${end} ${y}`} />
      <text class="field-name" x={isRight ? end - 8 : end + 8} y={y - 6} text-anchor={isRight ? 'end' : 'start'}>
        {edge.field} {edge.many ? 'n' : '1'}
      </text>
      <g class="box" onClick={() => go(edge.type)}>
        <rect x={x} y={y - BOX.height / 2} width={BOX.width} height={BOX.height} rx="4" />
        <text class="name" x={x + BOX.width / 2} y={y + 4} text-anchor="middle">
          {edge.type}
        </text>
      </g>
    </g>
  );
}
