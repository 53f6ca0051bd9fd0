//! Every key that does something, once: help, palette, editor and tests read this table.
//! A shortcut does exactly what the button or command of the same name does.

export interface Shortcut {
  /** As CodeMirror writes it: "Mod" is Command on a Mac and Control elsewhere. */
  key: string;
  /** What it does: the name of a command. */
  name: string;
  where: 'everywhere' | 'query' | 'editor' | 'schema' | 'data';
}

export const SHORTCUTS = {
  palette: { key: 'Mod-k', name: 'Go to or do', where: 'everywhere' },
  help: { key: '?', name: 'Show all keys', where: 'everywhere' },
  run: { key: 'Mod-Enter', name: 'Run', where: 'query' },
  cancel: { key: 'Mod-.', name: 'Cancel', where: 'query' },
  save: { key: 'Mod-s', name: 'Save', where: 'query' },
  format: { key: 'Shift-Alt-f', name: 'Format', where: 'query' },
  fill: { key: 'Shift-Alt-Enter', name: 'Fill all fields', where: 'query' },
  search: { key: '/', name: 'Search the schema', where: 'query' },
  apply: { key: 'Mod-Shift-Enter', name: 'Apply the schema', where: 'schema' },
  commit: { key: 'Mod-Shift-s', name: 'Commit the changes', where: 'data' },
  cell: { key: 'Enter, F2', name: 'Change the cell', where: 'data' },
  complete: { key: 'Ctrl-Space', name: 'Complete', where: 'editor' },
  docs: { key: 'Mod-Click', name: 'Show in the docs', where: 'editor' },
  find: { key: 'Mod-f', name: 'Find in the text', where: 'editor' },
  leave: { key: 'Escape, Tab', name: 'Leave the editor', where: 'editor' },
} as const satisfies Record<string, Shortcut>;

const isMac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

/** A key as it is printed on this machine's keyboard. */
export const shown = (key: string): string =>
  key
    .replace('Mod', isMac ? '⌘' : 'Ctrl')
    .replace('Enter', '↵')
    .replace(/-(?=.)/g, ' ')
    .replace(/\b[a-z]$/, letter => letter.toUpperCase());

/** Whether an event is this key. Letters are compared without their case. */
export function isKey(event: KeyboardEvent, key: string): boolean {
  const parts = key.split('-');
  const last = parts.pop() ?? '';
  const mod = isMac ? event.metaKey : event.ctrlKey;
  const pressed = event.altKey && /^Key[A-Z]$/.test(event.code) ? event.code.slice(3) : event.key;
  return (
    pressed.toLowerCase() === last.toLowerCase() &&
    mod === parts.includes('Mod') &&
    event.altKey === parts.includes('Alt') &&
    (last.length === 1 && !/[a-z]/i.test(last) ? true : event.shiftKey === parts.includes('Shift'))
  );
}

/** Whether somebody is writing: single keys belong to the text then. */
export const isWriting = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) ||
    target.closest('.cm-editor') !== null);
