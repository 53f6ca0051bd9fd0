//! A dialog over the page: the browser keeps the focus within it, Escape closes it, and the focus goes back.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export function Dialog(props: { label: string; onClose(): void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
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
