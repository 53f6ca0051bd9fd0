//! A dialog over the page: the browser keeps the focus within it, Escape closes it, and the focus goes back.

import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** Where the focus was before the first of the dialogs that are open. */
let before: Element | null = null;

function giveFocusBack(): void {
  if (document.querySelector('dialog[open]')) return;
  if (before instanceof HTMLElement) before.focus();
  before = null;
}

export function Dialog(props: { label: string; onClose(): void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  // Before anything is painted: the next key belongs to the dialog.
  useLayoutEffect(() => {
    before ??= document.activeElement;
    element.current?.showModal();
    // Until it is gone from the page, the browser lets nothing outside have the focus.
    return () => queueMicrotask(giveFocusBack);
  }, []);
  return (
    <dialog
      ref={element}
      aria-label={props.label}
      onClose={props.onClose}
      onClick={event => event.target === element.current && element.current?.close()}
    >
      {props.children}
    </dialog>
  );
}
