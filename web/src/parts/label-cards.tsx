/** All labels of a running scan: those that are found with their masks, and those to come. */

import { index, maskSize, percent } from '../../../src/report/html/numbers.ts';
import { LabelName, Pixels } from '../../../src/report/html/parts.tsx';
import type { LiveScan } from '../live-scan.ts';
import type { OwnLabel, ScanPlan } from '../scan/protocol.ts';

export function LabelCards({ live }: { readonly live: LiveScan }) {
  const { plan, best, running } = live;
  const active = new Set([...running.values()].map(({ label }) => label));
  const { flagged, labels } = live.outliers;
  const indices = new Map(labels.map(({ label, anomalyIndex }) => [label, anomalyIndex]));
  const found = [...best.values()].sort(bySize);
  const waiting = plan.labels.filter((label) => !best.has(label));
  return (
    <ul class="gallery">
      {found.map((label) => (
        <li key={label.label} class={flagged.includes(label.label) ? 'suspicious' : ''}>
          <FoundCard
            found={label}
            plan={plan}
            anomalyIndex={indices.get(label.label) ?? null}
            flagged={flagged.includes(label.label)}
          />
        </li>
      ))}
      {waiting.map((label) => (
        <li key={label} class="waiting">
          <p class="title">
            <LabelName label={label} {...nameOf(plan, label)} />
          </p>
          <small>{active.has(label) ? 'running' : 'waiting'}</small>
        </li>
      ))}
    </ul>
  );
}

function FoundCard({
  found: { label, status, l1, asr, mask, fusion },
  plan,
  anomalyIndex,
  flagged,
}: {
  readonly found: OwnLabel;
  readonly plan: ScanPlan;
  readonly anomalyIndex: number | null;
  readonly flagged: boolean;
}) {
  return (
    <>
      <div class="pictures">
        {mask && <Pixels picture={mask} alt={`Mask of label ${label}`} />}
        {fusion && <Pixels picture={fusion} alt={`Fusion of label ${label}`} />}
      </div>
      <p class="title">
        <LabelName label={label} {...nameOf(plan, label)} />
      </p>
      <p class="value">
        {maskSize({ l1, status })}
        {status !== 'censored' && `, ASR ${percent(asr, 0)}`}
        {anomalyIndex !== null && <small>{`index ${index(anomalyIndex)} so far`}</small>}
      </p>
      {flagged && <span class="badge suspicious">▲ Preliminary</span>}
    </>
  );
}

const bySize = (a: OwnLabel, b: OwnLabel): number =>
  Number(a.status === 'censored') - Number(b.status === 'censored') || a.l1 - b.l1;

export const nameOf = ({ classNames }: ScanPlan, label: number): { readonly name?: string } => {
  const name = classNames?.[label];
  return name === undefined ? {} : { name };
};
