//! A list of operations with what they took. One of them at a time has its plan below it.

import { useState } from 'preact/hooks';
import { go } from '../../router';
import { type Content, openTab } from '../../state/tabs';
import { Explained, type Explanation } from './Explained';

export interface Listed {
  id: string;
  name: string;
  /** How often it ran, and how that went. */
  figures: string;
  /** The time that it is listed for. */
  took: string;
  /** All of its text, where the name says too little. */
  text?: string;
  explain(): Promise<Explanation>;
  /** What opens as a tab. Nothing where the text is not whole. */
  content?: Content;
}

export function Operations({ list }: { list: readonly Listed[] }) {
  const [explained, setExplained] = useState<{ id: string; explanation: Explanation }>();
  const explain = async ({ id, explain }: Listed) => setExplained({ id, explanation: await explain() });
  return (
    <ul class="entries">
      {list.map(one => (
        <li key={one.id} class="slow">
          <span class="grow" title={one.text}>
            {one.name} <small>{one.figures}</small>
          </span>
          <span class="number">{one.took}</span>
          <button type="button" class="plain" onClick={() => void explain(one)}>
            Explain
          </button>
          <button type="button" class="ghost" disabled={!one.content} onClick={() => open(one.content)}>
            Open
          </button>
          {explained?.id === one.id && <Explained explanation={explained.explanation} />}
        </li>
      ))}
    </ul>
  );
}

function open(content: Content | undefined) {
  if (!content) return;
  void openTab(content);
  go('query');
}
