/** A field that takes files: dropped on it, or chosen by its buttons. */

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { chosen, dropped, givenText } from '../files/given.ts';
import type { Given } from '../scan/protocol.ts';
import { FileButton } from './file-button.tsx';

export function FileField({
  id,
  title,
  invitation,
  given,
  busy,
  folders = false,
  accept,
  onGiven,
  children,
}: {
  readonly id: string;
  readonly title: string;
  /** What to give, while nothing is given. */
  readonly invitation: string;
  readonly given: Given | undefined;
  /** What is being done with the files, if anything is. */
  readonly busy: string | undefined;
  /** Whether folders can be chosen too. */
  readonly folders?: boolean;
  /** Endings of files, for the browser's dialog. */
  readonly accept?: string;
  readonly onGiven: (given: Given) => void;
  readonly children?: ComponentChildren;
}) {
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer) void dropped(event.dataTransfer).then(onGiven);
  };
  return (
    <section
      class={`field${over ? ' over' : ''}${given ? ' filled' : ''}`}
      aria-labelledby={`${id}-title`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <h2 id={`${id}-title`}>{title}</h2>
      <p class={given ? 'given' : 'invitation'}>{given ? <bdi>{givenText(given)}</bdi> : invitation}</p>
      <div class="buttons">
        <Chooser
          label={given ? 'Choose others' : 'Choose files'}
          of={title}
          accept={accept}
          onGiven={onGiven}
        />
        {folders && <Chooser label="Choose a folder" of={title} folder onGiven={onGiven} />}
      </div>
      {busy && (
        <p class="busy" role="status">
          {busy}
        </p>
      )}
      {children}
    </section>
  );
}

function Chooser({
  label,
  of,
  folder = false,
  accept,
  onGiven,
}: {
  readonly label: string;
  readonly of: string;
  readonly folder?: boolean;
  readonly accept?: string | undefined;
  readonly onGiven: (given: Given) => void;
}) {
  return (
    <FileButton
      label={`${label}: ${of}`}
      accept={accept}
      multiple
      folder={folder}
      onChosen={(files) => onGiven(chosen(files))}
    >
      {label}
      <span class="unseen"> for {of.toLowerCase()}</span>
    </FileButton>
  );
}
