//! Panes side by side, with separators that mouse and arrow keys move. On a narrow screen one pane is shown at a time.

import { type ComponentChildren, Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { keepMeasure, measure } from '../state/settings';
import { named, Tabs } from './Tabs';

export interface PaneItem {
  name: string;
  /** Its width in pixels when nobody has chosen one; the pane without one takes the rest. */
  width?: number;
  class?: string;
  content: ComponentChildren;
}

interface SplitProps {
  /** Names the measures that are kept. */
  id: string;
  panes: PaneItem[];
  shown: string;
  onShow(name: string): void;
}

const WIDTH_MIN = 140;
const STEP = 24;

/** A separator: `onMove` gets the pixels that it moved. */
export function Splitter(props: { label: string; row?: boolean; value: number; onMove(pixels: number): void }) {
  const [from, setFrom] = useState<number>();
  const place = (event: PointerEvent) => (props.row ? event.clientY : event.clientX);
  const keys: Record<string, number> = props.row
    ? { ArrowUp: -STEP, ArrowDown: STEP }
    : { ArrowLeft: -STEP, ArrowRight: STEP };
  return (
    <div
      class={props.row ? 'splitter row' : 'splitter'}
      role="separator"
      tabIndex={0}
      aria-label={props.label}
      aria-orientation={props.row ? 'horizontal' : 'vertical'}
      aria-valuenow={Math.round(props.value)}
      onKeyDown={event => {
        const step = keys[event.key];
        if (!step) return;
        event.preventDefault();
        props.onMove(step);
      }}
      onPointerDown={event => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setFrom(place(event));
      }}
      onPointerMove={event => {
        if (from === undefined) return;
        props.onMove(place(event) - from);
        setFrom(place(event));
      }}
      onPointerUp={() => setFrom(undefined)}
      onPointerCancel={() => setFrom(undefined)}
    />
  );
}

export function Split({ id, panes, shown, onShow }: SplitProps) {
  const [widths, setWidths] = useState(() =>
    panes.map(pane => (pane.width ? measure(`${id}.${pane.name}`, pane.width) : 0)),
  );
  const resize = (at: number, change: number) => {
    const pane = panes[at];
    const width = Math.max(WIDTH_MIN, (widths[at] ?? 0) + change);
    if (!pane) return;
    keepMeasure(`${id}.${pane.name}`, width);
    setWidths(widths.map((old, index) => (index === at ? width : old)));
  };
  return (
    <>
      <div class="pane-switch">
        <Tabs label="Panes" tabs={named(...panes.map(pane => pane.name))} value={shown} onChange={onShow} />
      </div>
      <div class="split">
        {panes.map((pane, at) => {
          // A separator moves the pane of fixed width beside it: the one before it, else the one after it.
          const before = panes[at - 1];
          const moves = before?.width ? at - 1 : at;
          return (
            <Fragment key={pane.name}>
              {before && (
                <Splitter
                  label={`Between ${before.name} and ${pane.name}`}
                  value={widths[moves] ?? 0}
                  onMove={pixels => resize(moves, moves === at ? -pixels : pixels)}
                />
              )}
              <section
                class={`pane ${pane.class ?? ''}`}
                aria-label={pane.name}
                data-shown={pane.name === shown ? '' : undefined}
                style={pane.width ? { flex: `0 1 ${widths[at]}px` } : undefined}
              >
                {pane.content}
              </section>
            </Fragment>
          );
        })}
      </div>
    </>
  );
}
