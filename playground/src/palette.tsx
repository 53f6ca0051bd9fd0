//! One place to go to anything and do anything: type, arrows, Enter.

import type { TargetedKeyboardEvent } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { type Command, commands } from './ui/commands';
import { Dialog } from './ui/Dialog';

const SHOWN_MAX = 50;

/** Whether the letters of `wanted` stand in `text`, in order; lower is better, `undefined` is no. */
export function distance(text: string, wanted: string): number | undefined {
  const hay = text.toLowerCase();
  const needle = wanted.toLowerCase().trim();
  const whole = hay.indexOf(needle);
  if (whole >= 0) return whole;
  let at = -1;
  let cost = 100;
  for (const char of needle) {
    const next = hay.indexOf(char, at + 1);
    if (next < 0) return undefined;
    cost += next - at - 1;
    at = next;
  }
  return cost;
}

/** The commands that `text` means, the nearest first. */
const matching = (text: string): Command[] =>
  [...commands.value.values()]
    .flat()
    .map(command => ({ command, cost: distance(command.name, text) }))
    .filter((one): one is { command: Command; cost: number } => one.cost !== undefined)
    .sort((a, b) => (text ? a.cost - b.cost : 0))
    .slice(0, SHOWN_MAX)
    .map(one => one.command);

export function Palette({ onClose }: { onClose(): void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const found = useMemo(() => matching(text), [text, commands.value]);
  const act = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.act();
  };
  /** What Enter means: what was typed may not be shown yet. */
  const chosen = (typed: string) => (typed === text ? found[at] : matching(typed)[0]);
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLInputElement>) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) setAt((at + step + found.length) % found.length);
    else if (event.key === 'Enter') act(chosen(event.currentTarget.value));
    else return;
    event.preventDefault();
  };
  return (
    <Dialog label="Go to or do" onClose={onClose}>
      <div class="bar">
        <input
          class="grow"
          role="combobox"
          aria-label="Go to or do"
          aria-expanded="true"
          aria-controls="palette-options"
          aria-activedescendant={found.length > 0 ? `option-${at}` : undefined}
          placeholder="Collection, operation, command"
          value={text}
          onInput={event => {
            setText(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <ul id="palette-options" class="options" role="listbox" aria-label="Matches">
        {found.map((command, index) => (
          <li
            key={`${command.name} ${command.detail}`}
            id={`option-${index}`}
            role="option"
            aria-selected={index === at}
            onPointerMove={() => setAt(index)}
            onClick={() => act(command)}
          >
            <span>{command.name}</span>
            <span class="muted">{command.detail}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="pad muted">Nothing has these letters.</p>}
    </Dialog>
  );
}
