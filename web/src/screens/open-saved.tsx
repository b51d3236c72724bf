/** Opens what a scan has saved, of this app or of the command line. */

import { FileButton } from '../parts/file-button.tsx';
import type { Session } from '../session.ts';

export function OpenSavedRun({ session }: { readonly session: Session }) {
  return (
    <FileButton
      label="Open a saved run"
      accept=".zip,.json"
      onChosen={([file]) => void session.openFile(file!)}
    >
      Open a saved run
    </FileButton>
  );
}
