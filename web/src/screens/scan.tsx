/** A scan while it runs. */

import { useEffect, useState } from 'preact/hooks';
import { duration } from '../../../src/report/html/numbers.ts';
import { Section } from '../../../src/report/html/parts.tsx';
import type { LiveScan } from '../live-scan.ts';
import { Brand } from '../parts/brand.tsx';
import { LabelCards } from '../parts/label-cards.tsx';
import { RunningLabels } from '../parts/running-labels.tsx';
import { Title } from '../parts/title.tsx';
import type { Session } from '../session.ts';
import { providerText } from './check.tsx';

export function ScanScreen({ session, live }: { readonly session: Session; readonly live: LiveScan }) {
  const { plan, paused, concluding } = live;
  useSeconds(!paused);
  const state = concluding ? 'Concluding' : paused ? 'Paused' : 'Scanning';
  return (
    <>
      <Brand />
      <header class="head running">
        <div class="page">
          <Title tab={`${Math.floor(100 * live.share)} % ${plan.model} (Neural Cleanse)`}>{state}</Title>
          <p class="subject">
            <bdi>{plan.model}</bdi>
            <span>on {providerText[plan.provider] ?? plan.provider}</span>
          </p>
          <progress max={1} value={live.share} aria-label="Share of the scan that is done" />
          <p class="figure">
            <span role="status">{finishedText(live)}</span>
            <span class="rest">{timeText(live)}</span>
          </p>
          <div class="buttons">
            {paused ? (
              <button type="button" onClick={() => session.continue()}>
                Continue
              </button>
            ) : (
              <button type="button" disabled={concluding} onClick={() => session.pause()}>
                Pause
              </button>
            )}
            <button type="button" class="quiet" disabled={concluding} onClick={() => void session.cancel()}>
              Cancel
            </button>
          </div>
          <p class="note">
            {plan.notKept ??
              'Finished labels are kept in this browser: after a reload, or if you cancel, the scan can go on from there.'}
          </p>
        </div>
      </header>
      <main class="page">
        {live.running.size > 0 && (
          <Section id="now" title="Now">
            <RunningLabels live={live} />
          </Section>
        )}
        <Section
          id="labels"
          title="Labels"
          intro="The smaller the mask, the easier every image is turned into the label."
        >
          <LabelCards live={live} />
        </Section>
      </main>
    </>
  );
}

const finishedText = ({ finished, total, plan, concluding }: LiveScan): string => {
  if (concluding) return 'All labels are finished; the report is being made.';
  return `${finished} of ${total} ${plan.inversions > plan.labels.length ? 'inversions' : 'labels'}`;
};

function timeText({ elapsedMs, leftMs, concluding, paused }: LiveScan): string {
  const elapsed = duration(Math.floor(elapsedMs / 1000)).replace('.0', '');
  if (concluding || paused || leftMs === undefined) return elapsed;
  return `${elapsed}, about ${duration(Math.max(1, Math.round(leftMs / 1000))).replace('.0', '')} left`;
}

/** Draws again every second while the clock runs. */
function useSeconds(running: boolean): void {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, [running]);
}
