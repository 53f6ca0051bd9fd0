//! An editor as a component. `doc` is only its beginning: from then on the editor owns its text.

import { useEffect, useRef } from 'preact/hooks';
import { createEditor, type EditorOptions, type EditorView } from '../editor/create';

export type { EditorView };

export function Editor(props: EditorOptions & { onView?(view: EditorView | undefined): void }) {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const view = createEditor(host.current as HTMLDivElement, {
      ...props,
      onChange: doc => latest.current.onChange?.(doc),
      onCursor: head => latest.current.onCursor?.(head),
    });
    props.onView?.(view);
    return () => {
      latest.current.onView?.(undefined);
      view.destroy();
    };
  }, []);

  return <div class="editor" ref={host} />;
}
