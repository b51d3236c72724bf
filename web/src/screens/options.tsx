/** Options of a scan; the defaults suit most. */

import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { presetNames } from '../../../src/detect/presets.ts';
import type { CheckOptions, ScanOptions } from '../scan/protocol.ts';
import type { Session } from '../session.ts';

const presetText = {
  fast: 'Fast: about a tenth of the steps',
  paper: 'Paper: the loop of the original, for hours',
} as const;

export function Options({ session }: { readonly session: Session }) {
  const { scan, check } = session.state;
  const changeScan = (change: Partial<ScanOptions>) => session.changeScan(change);
  const changeCheck = (change: Partial<CheckOptions>) => session.changeCheck(change);
  return (
    <details class="options">
      <summary>Options</summary>
      <div class="grid">
        <Field label="Preset">
          {(id) => (
            <select
              id={id}
              value={scan.preset}
              onChange={({ currentTarget: { value } }) =>
                changeScan({ preset: presetNames.find((name) => name === value)! })
              }
            >
              {presetNames.map((name) => (
                <option key={name} value={name}>
                  {presetText[name]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Text
          label="Labels"
          note="such as 0,3,7-9; all if left empty"
          value={scan.labels}
          onChange={(labels) => changeScan({ labels })}
        />
        <Whole
          label="Seed"
          note="of samples and starting points"
          low={0}
          value={check.seed}
          onChange={(seed) => changeCheck({ seed })}
        />
        <Whole
          label="Images"
          note="used at most, evenly from all classes"
          low={20}
          value={check.samples}
          onChange={(samples) => changeCheck({ samples })}
        />
        <Whole
          label="Steps"
          note="of an inversion at most; as the preset has them if left empty"
          low={1}
          value={scan.steps}
          onChange={(steps) => changeScan({ steps })}
          onClear={() => changeScan({ steps: undefined })}
        />
        <Field label="Run on" note="Automatic is WebGPU where there is a GPU">
          {(id) => (
            <select
              id={id}
              value={check.provider}
              onChange={({ currentTarget: { value } }) =>
                changeCheck({ provider: value as CheckOptions['provider'] })
              }
            >
              <option value="auto">Automatic</option>
              <option value="webgpu">WebGPU</option>
              <option value="wasm">WebAssembly</option>
            </select>
          )}
        </Field>
        <Whole
          label="Cores"
          note={
            crossOriginIsolated
              ? 'for WebAssembly'
              : 'one only: the server of this page does not send the headers for more'
          }
          low={1}
          high={crossOriginIsolated ? navigator.hardwareConcurrency : 1}
          value={check.threads}
          onChange={(threads) => changeCheck({ threads })}
        />
        <Text
          label="Preprocessing"
          note="raw255, unit, tf, caffe, torch or range=1;mean=…; found by itself if left empty"
          value={check.preprocess}
          onChange={(preprocess) => changeCheck({ preprocess })}
        />
        <Text
          label="Image size"
          note="height,width, for models that leave it open"
          value={check.size}
          onChange={(size) => changeCheck({ size })}
        />
        <Text
          label="Output"
          note="that holds the class scores, for models with several"
          value={check.output}
          onChange={(output) => changeCheck({ output })}
        />
      </div>
    </details>
  );
}

function Field({
  label,
  note,
  children,
}: {
  readonly label: string;
  readonly note?: string;
  readonly children: (id: string, noteId: string | undefined) => ComponentChildren;
}) {
  const id = useId();
  const noteId = note === undefined ? undefined : `${id}-note`;
  return (
    <div class="option">
      <label for={id}>{label}</label>
      {children(id, noteId)}
      {note && <small id={noteId}>{note}</small>}
    </div>
  );
}

function Text({
  label,
  note,
  value,
  onChange,
}: {
  readonly label: string;
  readonly note: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  const typing = useTyping(value);
  return (
    <Field label={label} note={note}>
      {(id, noteId) => (
        <input
          id={id}
          type="text"
          autocomplete="off"
          spellcheck={false}
          aria-describedby={noteId}
          {...typing.field}
          onChange={({ currentTarget }) => {
            typing.end();
            onChange(currentTarget.value);
          }}
        />
      )}
    </Field>
  );
}

/** What is no whole number in range is put back. */
function Whole({
  label,
  note,
  value,
  low,
  high,
  onChange,
  onClear,
}: {
  readonly label: string;
  readonly note: string;
  readonly value: number | undefined;
  readonly low: number;
  readonly high?: number;
  readonly onChange: (value: number) => void;
  /** For fields that may be left empty. */
  readonly onClear?: () => void;
}) {
  const typing = useTyping(String(value ?? ''));
  return (
    <Field label={label} note={note}>
      {(id, noteId) => (
        <input
          id={id}
          type="number"
          min={low}
          {...(high !== undefined && { max: high })}
          step={1}
          aria-describedby={noteId}
          {...typing.field}
          onChange={({ currentTarget }) => {
            typing.end();
            const given = currentTarget.valueAsNumber;
            if (currentTarget.value === '' && currentTarget.validity.valid && onClear) onClear();
            else if (currentTarget.validity.valid && Number.isSafeInteger(given)) onChange(given);
            else currentTarget.value = String(value ?? '');
          }}
        />
      )}
    </Field>
  );
}

/** Keeps what is being typed: the page is drawn again at any time, as a check goes on. */
function useTyping(value: string) {
  const [typed, setTyped] = useState<string>();
  return {
    field: {
      value: typed ?? value,
      onInput: ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) =>
        setTyped(currentTarget.value),
    },
    end: () => setTyped(undefined),
  };
}
