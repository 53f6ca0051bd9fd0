//! Two texts as one: what was taken away and what came, in place.

import { unifiedMergeView } from '@codemirror/merge';
import type { Extension } from './create';
import { sdlLanguage } from './sdl';

export const compareWith = (original: string): Extension => [
  sdlLanguage(),
  unifiedMergeView({
    original,
    mergeControls: false,
    highlightChanges: true,
    collapseUnchanged: { margin: 3, minSize: 6 },
  }),
];
