/** A button that chooses files, in place of the browser's own, whose text cannot be chosen. */

import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';

export function FileButton({
  label,
  accept,
  multiple = false,
  folder = false,
  onChosen,
  children,
}: {
  /** Of the field behind the button. */
  readonly label: string;
  /** Endings of files, for the browser's dialog. */
  readonly accept?: string | undefined;
  readonly multiple?: boolean;
  /** Whether a folder is chosen, with all that is in it. */
  readonly folder?: boolean;
  /** Told of one file at least. */
  readonly onChosen: (files: FileList) => void;
  readonly children: ComponentChildren;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        multiple={multiple}
        aria-label={label}
        {...(folder && { webkitdirectory: true })}
        {...(accept !== undefined && { accept })}
        onChange={({ currentTarget }) => {
          if (currentTarget.files?.length) onChosen(currentTarget.files);
          // The same file can be chosen again after it was changed.
          currentTarget.value = '';
        }}
      />
      <button type="button" class="quiet" onClick={() => input.current?.click()}>
        {children}
      </button>
    </>
  );
}
