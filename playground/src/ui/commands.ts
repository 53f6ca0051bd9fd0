//! What the palette can do: pages register their commands while they are shown.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

export interface Command {
  name: string;
  /** What kind of thing it is: "collection", "saved", a key. */
  detail?: string;
  act(): void;
}

export const commands = signal<ReadonlyMap<string, readonly Command[]>>(new Map());

/** Offers commands for as long as a component is shown. */
export function useCommands(owner: string, offered: readonly Command[], inputs: readonly unknown[]): void {
  useEffect(() => {
    commands.value = new Map(commands.value).set(owner, offered);
    return () => {
      if (commands.value.get(owner) !== offered) return;
      const left = new Map(commands.value);
      left.delete(owner);
      commands.value = left;
    };
  }, inputs);
}
