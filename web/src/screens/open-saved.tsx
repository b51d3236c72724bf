/** Opens what a scan has saved, of this app or of the command line. */

import { useRef } from 'preact/hooks';
import type { Session } from '../session.ts';

export function OpenSavedRun({ session }: { readonly session: Session }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        accept=".zip,.json"
        aria-label="Open a saved run"
        onChange={({ currentTarget }) => {
          const [file] = currentTarget.files ?? [];
          if (file) void session.openFile(file);
          currentTarget.value = '';
        }}
      />
      <button type="button" class="quiet" onClick={() => input.current?.click()}>
        Open a saved run
      </button>
    </>
  );
}
