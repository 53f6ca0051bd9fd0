//! The language of results: JSON that is read, not written.

import { json } from '@codemirror/lang-json';
import type { Extension } from '@codemirror/state';

export const resultLanguage = (): Extension => json();
