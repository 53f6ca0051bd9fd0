//! What was run and what was saved. Opening one never replaces what stands in a tab.

import { forgetRuns, runs } from '../../state/history';
import { forget, save, saved } from '../../state/saved';
import { activeTab, openTab, selectTab, tabs } from '../../state/tabs';
import { toast } from '../../ui/Toast';

const ago = (at: number): string => {
  const minutes = Math.round((Date.now() - at) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  return new Date(at).toLocaleString();
};

/** Opens an operation; the tab that shows it already is selected instead. */
export function open(content: { query: string; variables: string; saved?: string }): void {
  const shown = tabs.value.find(tab => tab.query === content.query && tab.variables === content.variables);
  if (shown) selectTab(shown.id);
  else void openTab(content);
}

export function History() {
  return (
    <>
      <div class="bar small">
        <span class="title grow">{runs.value.length === 0 ? 'No runs yet' : `Last ${runs.value.length} runs`}</span>
        {runs.value.length > 0 && (
          <button type="button" class="ghost" onClick={() => void forgetRuns()}>
            Forget all
          </button>
        )}
      </div>
      <div class="grow scroll" role="region" aria-label="History" tabIndex={0}>
        <ul class="entries">
          {runs.value.map(run => (
            <li key={run.id}>
              <button type="button" class="open" onClick={() => open(run)}>
                <span class={run.ok ? 'ok' : 'bad'}>{run.ok ? '✓' : '✗'}</span> {run.name}
                <small>
                  {ago(run.at)} · {run.millis.toFixed(1)} ms{run.fault ? ` · ${run.fault}` : ''}
                </small>
              </button>
            </li>
          ))}
        </ul>
        {runs.value.length === 0 && <p class="pad muted">What you run is kept here, in this browser only.</p>}
      </div>
    </>
  );
}

export function SavedOperations() {
  const drop = (id: string) => {
    const entry = saved.value.find(one => one.id === id);
    void forget(id);
    if (entry) toast(`"${entry.name}" is forgotten.`, { name: 'Undo', act: () => void save(entry, entry.id) });
  };
  return (
    <div class="grow scroll" role="region" aria-label="Saved operations" tabIndex={0}>
      <ul class="entries">
        {saved.value.map(entry => (
          <li key={entry.id} aria-current={activeTab()?.saved === entry.id ? 'true' : undefined}>
            <button type="button" class="open" onClick={() => open({ ...entry, saved: entry.id })}>
              {entry.name}
              <small>{ago(entry.at)}</small>
            </button>
            <button type="button" class="ghost" aria-label={`Forget ${entry.name}`} onClick={() => drop(entry.id)}>
              ×
            </button>
          </li>
        ))}
      </ul>
      {saved.value.length === 0 && (
        <p class="pad muted">Save keeps the operation of a tab under a name, in this browser.</p>
      )}
    </div>
  );
}
