/** The run that an earlier visit has left in this browser. */

import { counted, moment } from '../../../src/report/html/numbers.ts';
import { Section } from '../../../src/report/html/parts.tsx';
import type { KeptRun } from '../scan/kept-run.ts';
import type { Session } from '../session.ts';

export function KeptRunSection({ session, kept }: { readonly session: Session; readonly kept: KeptRun }) {
  const { model, labels, finished, startedAt, done } = kept;
  const opening = session.state.busy === 'check' && !session.state.model;
  return (
    <Section id="kept" title={done ? 'Your last scan' : 'Unfinished scan'}>
      <p>
        <bdi>{model}</bdi>, started {moment(startedAt)}
        {done ? '.' : `: ${finished} of ${counted(labels, 'label')} finished.`}
      </p>
      <div class="buttons">
        {done ? (
          <button type="button" onClick={() => void session.openKeptRun()}>
            Open its report
          </button>
        ) : (
          <button type="button" disabled={opening} onClick={() => session.resume()}>
            {opening ? 'Opening…' : 'Go on'}
          </button>
        )}
        {!done && finished > 0 && (
          <button type="button" class="quiet" onClick={() => void session.openKeptRun()}>
            See what there is
          </button>
        )}
        <button type="button" class="quiet" onClick={() => void session.forget()}>
          Discard
        </button>
      </div>
    </Section>
  );
}
