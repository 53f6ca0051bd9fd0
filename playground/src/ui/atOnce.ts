//! Rendering without the usual wait.

import { options } from 'preact';

/** Renders what `change` changes before it returns: a key that is pressed right after it finds it there. */
export function atOnce(change: () => void): void {
  const usual = options.debounceRendering;
  options.debounceRendering = render => render();
  try {
    change();
  } finally {
    options.debounceRendering = usual;
  }
}
