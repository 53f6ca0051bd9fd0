//! A row of tabs. A tablist holds tabs and nothing else; arrows, Home and End move between them.

import { useEffect, useRef } from 'preact/hooks';

export interface TabItem {
  id: string;
  name: string;
}

interface Props {
  label: string;
  tabs: readonly TabItem[];
  value: string;
  small?: boolean;
  onChange(id: string): void;
  /** Delete on a tab. */
  onClose?(id: string): void;
}

export function Tabs({ label, tabs, value, small, onChange, onClose }: Props) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [value, tabs.length]);

  const onKeyDown = (event: KeyboardEvent) => {
    const at = tabs.findIndex(tab => tab.id === value);
    const target = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (event.key === 'Delete' && onClose) onClose(value);
    else if (target !== undefined) {
      const next = target % tabs.length;
      onChange((tabs[next] as TabItem).id);
      (list.current?.children[next] as HTMLElement | undefined)?.focus();
    } else return;
    event.preventDefault();
  };

  return (
    <div ref={list} role="tablist" class={small ? 'tablist small' : 'tablist'} aria-label={label} onKeyDown={onKeyDown}>
      {tabs.map(tab => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          aria-selected={tab.id === value}
          tabIndex={tab.id === value ? 0 : -1}
          title={tab.name}
          onClick={() => onChange(tab.id)}
        >
          {tab.name}
        </button>
      ))}
    </div>
  );
}

/** Tabs whose names are their ids. */
export const named = (...names: string[]): TabItem[] => names.map(name => ({ id: name, name }));
