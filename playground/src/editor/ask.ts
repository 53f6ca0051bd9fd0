//! Asking for completions without the wait: the popup comes within the time that a key may take.

import { type CompletionContext, completionKeymap, startCompletion } from '@codemirror/autocomplete';
import { type Extension, Prec, StateEffect, StateField } from '@codemirror/state';
import { type EditorView, keymap } from '@codemirror/view';

const ask = StateEffect.define<null>();

/** Whether completions were asked for by their key, at the place where the cursor is. */
const asked = StateField.define<boolean>({
  create: () => false,
  update: (value, { effects, docChanged, selection }) =>
    effects.some(effect => effect.is(ask)) || (value && !docChanged && !selection),
});

/** CodeMirror waits 50 ms after its own key before it looks. After typing it waits as long as it is told. */
function askAtOnce(view: EditorView): boolean {
  view.dispatch({ effects: ask.of(null), userEvent: 'input.type' });
  return true;
}

const keys = completionKeymap
  .filter(binding => binding.run === startCompletion)
  .map(binding => ({ ...binding, run: askAtOnce }));

/** The key for completions, and what sources know of it. */
export const asking: Extension = [asked, Prec.highest(keymap.of(keys))];

/** Whether somebody wants to see all that can stand here, and not only what they began to type. */
export const isAsked = ({ explicit, state }: CompletionContext): boolean =>
  explicit || state.field(asked, false) === true;
