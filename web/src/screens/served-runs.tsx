/** The runs that the server of this page has in its folders. */

import { counted, moment } from '../../../src/report/html/numbers.ts';
import { Section } from '../../../src/report/html/parts.tsx';
import { verdictTitles } from '../../../src/report/html/verdict-text.ts';
import type { ServedRun } from '../../../src/report/served-runs.ts';
import type { Session } from '../session.ts';

export function ServedRuns({
  session,
  runs,
}: {
  readonly session: Session;
  readonly runs: readonly ServedRun[];
}) {
  return (
    <Section id="runs" title="Runs on this machine">
      {runs.length === 0 ? (
        <p>There are none yet in the folders that the server was started with.</p>
      ) : (
        <ul class="runs">
          {runs.map((run) => (
            <li key={run.id} class={run.verdict}>
              <p>
                <bdi class="given">{run.name}</bdi>
                <small>
                  {run.model && <bdi>{run.model}, </bdi>}
                  {moment(run.changed)}
                </small>
              </p>
              <span class="badge">{stateText(run)}</span>
              <button
                type="button"
                class="quiet"
                disabled={run.state === 'damaged'}
                onClick={() => void session.openServed(run)}
              >
                {run.state === 'running' ? 'Watch' : 'Open'}
                <span class="unseen"> {run.name}</span>
              </button>
              {run.error && <p class="note">{run.error.message}</p>}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function stateText({ state, verdict, inversions = 0 }: ServedRun): string {
  switch (state) {
    case 'finished':
      return verdict ? verdictTitles[verdict] : 'Finished';
    case 'running':
      return `Running, ${counted(inversions, 'label')} so far`;
    case 'stopped':
      return `Unfinished, ${counted(inversions, 'label')}`;
    case 'damaged':
      return 'Damaged';
  }
}
