//! The shell. It paints without the editor and without the schema; both arrive after it.

import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { sampleOf } from './collection';
import { Help } from './help';
import { PAGES, type Page } from './pages';
import { Palette } from './palette';
import { go, href, route } from './router';
import { isKey, isWriting, SHORTCUTS, shown } from './shortcuts';
import { collections, health, trouble, watchServer } from './state/server';
import { theme, toggleTheme } from './state/settings';
import { openTab } from './state/tabs';
import { atOnce } from './ui/atOnce';
import { useCommands } from './ui/commands';
import { Toasts } from './ui/Toast';

const pageOf = (id: string): Page => PAGES.find(page => page.id === id) ?? (PAGES[0] as Page);

export function App() {
  const [over, setOver] = useState<'palette' | 'help'>();
  const page = pageOf(route.value.page);

  useEffect(() => {
    document.title = `${page.name} · Vivarium`;
  }, [page]);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (isKey(event, SHORTCUTS.palette.key)) atOnce(() => setOver('palette'));
      else if (isKey(event, SHORTCUTS.help.key) && !isWriting(event.target)) setOver('help');
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
  useShellCommands(() => setOver('help'));

  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={event => {
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to the page
      </a>
      <header class="top">
        <b class="brand">Vivarium</b>
        <button type="button" class="palette-open" onClick={() => setOver('palette')}>
          <span>Go to or do</span> <kbd>{shown(SHORTCUTS.palette.key)}</kbd>
        </button>
        <span class="grow" />
        <button type="button" class="ghost" onClick={toggleTheme} aria-label={`Theme: ${theme.value}. Change it`}>
          {theme.value === 'dark' ? 'Dark' : 'Light'}
        </button>
        <button type="button" class="ghost icon" aria-label="Keys and about" onClick={() => setOver('help')}>
          ?
        </button>
        <HealthMark />
      </header>
      <nav class="rail" aria-label="Pages">
        {PAGES.map(({ id, name, icon }) => (
          <a key={id} href={href(id)} aria-current={page.id === id ? 'page' : undefined}>
            <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
              <path
                d={icon}
                fill="none"
                stroke="currentColor"
                stroke-width="1.4"
                stroke-linecap="round"
                stroke-linejoin="round"
              />
            </svg>
            <span>{name}</span>
          </a>
        ))}
      </nav>
      <main id="main" tabIndex={-1}>
        <Shown key={page.id} page={page} />
      </main>
      <Toasts />
      {over === 'palette' && <Palette onClose={() => setOver(undefined)} />}
      {over === 'help' && <Help onClose={() => setOver(undefined)} />}
    </div>
  );
}

function useShellCommands(showHelp: () => void) {
  useCommands(
    'shell',
    [
      ...PAGES.map(({ id, name }) => ({ name, detail: 'page', act: () => go(id) })),
      ...collections.value.map(collection => ({
        name: collection.plural,
        detail: 'query a collection',
        act: () => {
          void openTab({ query: sampleOf(collection), variables: '' });
          go('query');
        },
      })),
      ...collections.value.map(one => ({ name: one.name, detail: 'records', act: () => go('data', one.name) })),
      { name: SHORTCUTS.help.name, detail: SHORTCUTS.help.key, act: showHelp },
      { name: 'Change the theme', detail: 'command', act: toggleTheme },
    ],
    [collections.value],
  );
}

function Shown({ page }: { page: Page }) {
  const [Loaded, setLoaded] = useState<ComponentType>();
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    page.load().then(
      module => {
        setLoaded(() => module.default);
        watchServer();
      },
      () => setFailed(true),
    );
  }, []);
  if (failed) {
    return (
      <p class="pad">
        This page could not be loaded: the server does not answer.{' '}
        <button type="button" class="plain" onClick={() => location.reload()}>
          Try again
        </button>
      </p>
    );
  }
  return Loaded ? <Loaded /> : <p class="pad muted">Loading</p>;
}

function HealthMark() {
  const found = health.value;
  if (trouble.value) {
    return (
      <span class="health" role="status" title={trouble.value}>
        <span class="dot off" />
        <span>
          no connection<span class="wide">, trying again</span>
        </span>
      </span>
    );
  }
  if (!found) return <span class="health" role="status" />;
  const nodes = found.status.voters.length + found.status.learners.length;
  return (
    <span class="health" role="status">
      <span class="dot on" />
      <span>
        connected
        <span class="wide">
          {nodes > 1 ? ` · ${nodes} nodes` : ''} · schema v{found.schema.version}
        </span>
      </span>
    </span>
  );
}
