//! Short messages that go away, each with at most one thing to do.

import { signal } from '@preact/signals';

interface Toast {
  id: number;
  text: string;
  action?: { name: string; act(): void };
}

const toasts = signal<Toast[]>([]);
let last = 0;

const SHOWN_MS = 6_000;
/** Long enough to reach an "Undo". */
const SHOWN_WITH_ACTION_MS = 10_000;

export function toast(text: string, action?: Toast['action']): void {
  last += 1;
  const id = last;
  toasts.value = [...toasts.value.slice(-2), { id, text, action }];
  setTimeout(() => drop(id), action ? SHOWN_WITH_ACTION_MS : SHOWN_MS);
}

const drop = (id: number) => {
  toasts.value = toasts.value.filter(one => one.id !== id);
};

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map(({ id, text, action }) => (
        <div key={id} class="toast">
          <span class="grow">{text}</span>
          {action && (
            <button
              type="button"
              class="plain"
              onClick={() => {
                action.act();
                drop(id);
              }}
            >
              {action.name}
            </button>
          )}
          <button type="button" class="ghost icon" aria-label="Dismiss" onClick={() => drop(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
