//! An editor as a component. `doc` is only its beginning: from then on the editor owns its text.

import { useEffect, useRef } from 'preact/hooks';
import { createEditor, type EditorOptions, type EditorView, type Fault, showFaults } from '../editor/create';

/** Where an editor can be found while it stands. */
export interface EditorRef {
  current: EditorView | undefined;
}

export const useEditor = (): EditorRef => useRef<EditorView | undefined>(undefined);

interface Props extends EditorOptions {
  /** Leads to this editor. The next one may stand there before this one goes. */
  view?: EditorRef;
  /** What the server found wrong in the text. */
  faults?: readonly Fault[];
  onGone?(view: EditorView): void;
}

const NO_FAULTS: readonly Fault[] = [];

export function Editor(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const own = useEditor();

  useEffect(() => {
    const view = createEditor(host.current as HTMLDivElement, {
      ...props,
      onChange: doc => latest.current.onChange?.(doc),
      onCursor: head => latest.current.onCursor?.(head),
    });
    const { view: place } = props;
    own.current = view;
    if (place) place.current = view;
    props.onCursor?.(view.state.selection.main.head);
    return () => {
      latest.current.onGone?.(view);
      if (place?.current === view) place.current = undefined;
      view.destroy();
    };
  }, []);
  const faults = props.faults ?? NO_FAULTS;
  useEffect(() => {
    if (own.current) showFaults(own.current, faults);
  }, [faults]);

  return <div class="editor" ref={host} />;
}
