//! All keys, from the one table of them, and what the page is made of.

import { SHORTCUTS, type Shortcut, shown } from './shortcuts';
import { health } from './state/server';
import { Dialog } from './ui/Dialog';

const PLACES: Record<Shortcut['where'], string> = {
  everywhere: 'Everywhere',
  query: 'Query',
  editor: 'In an editor',
  schema: 'Schema',
  data: 'Data',
};

export function Help({ onClose }: { onClose(): void }) {
  const all: Shortcut[] = Object.values(SHORTCUTS);
  return (
    <Dialog label="Keys" onClose={onClose}>
      <div class="body" role="region" aria-label="Keys" tabIndex={0}>
        {Object.entries(PLACES).map(([where, name]) => {
          const here = all.filter(one => one.where === where);
          return (
            here.length > 0 && (
              <section key={where}>
                <h3>{name}</h3>
                <dl class="keys">
                  {here.map(one => (
                    <Key key={one.key} shortcut={one} />
                  ))}
                </dl>
              </section>
            )
          );
        })}
        <h3>About</h3>
        <p class="muted">
          Vivarium {health.value?.status.release}. This page asks no other server than this one. What you write stays in
          this browser. <a href="/playground/LICENSES.md">Licences</a> · <a href="/schema.graphql">schema.graphql</a> ·{' '}
          <a href="/metrics">metrics</a>
        </p>
      </div>
      <form method="dialog" class="buttons">
        <button type="submit" class="plain">
          Close
        </button>
      </form>
    </Dialog>
  );
}

function Key({ shortcut }: { shortcut: Shortcut }) {
  return (
    <>
      <dt>
        <kbd>{shown(shortcut.key)}</kbd>
      </dt>
      <dd>{shortcut.name}</dd>
    </>
  );
}
