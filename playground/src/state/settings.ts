//! Choices that outlive the window. The theme follows the system until somebody chooses one.

import { signal } from '@preact/signals';

export type Theme = 'dark' | 'light';

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing: the choice holds for this window.
  }
}

const system = (): Theme => (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');
const chosen = read('theme');

export const theme = signal<Theme>(chosen === 'dark' || chosen === 'light' ? chosen : system());

export function followSystem(): void {
  document.documentElement.dataset.theme = theme.value;
  matchMedia('(prefers-color-scheme: light)').addEventListener('change', () => {
    if (!read('theme')) show(system());
  });
}

function show(next: Theme): void {
  theme.value = next;
  document.documentElement.dataset.theme = next;
}

export function toggleTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark';
  write('theme', next);
  show(next);
}

/** A measure that somebody dragged, in pixels. */
export function measure(name: string, preset: number): number {
  const kept = Number(read(`measure.${name}`));
  return Number.isFinite(kept) && kept > 0 ? kept : preset;
}

export const keepMeasure = (name: string, pixels: number) => write(`measure.${name}`, String(Math.round(pixels)));
