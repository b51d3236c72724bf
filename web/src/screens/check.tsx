/** The check of model and images against each other, the options, and the start. */

import { percent, whole } from '../../../src/report/html/numbers.ts';
import { Section } from '../../../src/report/html/parts.tsx';
import { PreflightTable } from '../../../src/report/html/preflight.tsx';
import { ErrorNote } from '../parts/error-note.tsx';
import type { CheckFacts } from '../scan/protocol.ts';
import type { Session } from '../session.ts';
import { Options } from './options.tsx';

export function CheckSection({ session }: { readonly session: Session }) {
  const { model, data, checkFacts, busy, errors, kept } = session.state;
  if (!model && !data) return null;
  const ready = checkFacts !== undefined && busy === undefined;
  return (
    <Section id="check" title="Check and start">
      {checkFacts ? (
        <Found facts={checkFacts} />
      ) : (
        <p role="status" class={busy === 'check' ? 'busy' : 'note'}>
          {busy === 'check' ? 'Classifying images to find how they must be prepared…' : waitingFor(session)}
        </p>
      )}
      <ErrorNote error={errors.check} />
      <Options session={session} />
      <div class="start">
        <button type="button" disabled={!ready} onClick={() => session.start()}>
          Start the scan
        </button>
        {ready && kept && !kept.done && (
          <p class="note">This replaces the unfinished scan of {kept.model}.</p>
        )}
      </div>
    </Section>
  );
}

function waitingFor({ state: { model, data, errors } }: Session): string {
  if (errors.model || errors.images || errors.check) return 'A scan can start once this is solved.';
  if (!model) return 'A model is needed, too.';
  if (!data) return 'Images are needed, too.';
  return 'The check follows as soon as both are read.';
}

function Found({ facts: { preflight, provider, notice, obstacles } }: { readonly facts: CheckFacts }) {
  const { chosen, samples, candidates, warnings, problems } = preflight;
  return (
    <>
      {obstacles.length === 0 ? (
        <p class="fit">
          <span class="mark" aria-hidden="true">
            ✓
          </span>{' '}
          {chosen.accuracy === null
            ? 'Model and images fit together.'
            : `The model recognises ${percent(chosen.accuracy)} of ${whole(samples)} images.`}{' '}
          Preprocessing: <strong>{chosen.preprocess.name}</strong>
          {candidates.length > 1 && `, the best of ${candidates.length}`}. Runs on{' '}
          <strong>{providerText[provider] ?? provider}</strong>.
        </p>
      ) : (
        obstacles.map((obstacle) => (
          <p key={obstacle} class="warning">
            <strong>The scan would end without a verdict:</strong> {obstacle}
          </p>
        ))
      )}
      {notice && <p class="note">{notice}</p>}
      <details>
        <summary>What was tried</summary>
        <PreflightTable
          preflight={{
            accuracy: chosen.accuracy,
            samples,
            candidates: candidates.map(({ preprocess, ...figures }) => ({
              ...figures,
              preprocess: preprocess.name,
            })),
            warnings: [...warnings],
            problems: [...problems],
          }}
        />
      </details>
    </>
  );
}

export const providerText: Readonly<Record<string, string>> = { webgpu: 'WebGPU', wasm: 'WebAssembly' };
