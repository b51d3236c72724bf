/** The labels that are being inverted: the mask as it stands, and how it came there. */

import { percent, pixels } from '../../../src/report/html/numbers.ts';
import { LabelName } from '../../../src/report/html/parts.tsx';
import { linearScale, Plot, PlotLine } from '../../../src/report/html/plot.tsx';
import type { LivePoint, LiveScan, RunningLabel } from '../live-scan.ts';
import { nameOf } from './label-cards.tsx';
import { MaskCanvas } from './mask-canvas.tsx';

export const RunningLabels = ({ live }: { readonly live: LiveScan }) => (
  <ul class="running-labels">
    {[...live.running.values()]
      .sort((a, b) => a.label - b.label || a.start - b.start)
      .map((running) => (
        <li key={`${running.label}/${running.start}`}>
          <RunningCard running={running} live={live} />
        </li>
      ))}
  </ul>
);

function RunningCard({ running, live }: { readonly running: RunningLabel; readonly live: LiveScan }) {
  const { label, points, mask } = running;
  const last = points.at(-1)!;
  return (
    <>
      <div class="mask-now">
        <MaskCanvas mask={mask} size={live.plan.size} label={`Mask of label ${label} as it stands`} />
        <p class="title">
          Label <LabelName label={label} {...nameOf(live.plan, label)} />
        </p>
        <p class="value">
          {pixels(last.l1)}&nbsp;px, ASR {percent(last.asr, 0)}
        </p>
      </div>
      <LiveChart title="Norm of the mask, px" points={points} of={({ l1 }) => l1} />
      <LiveChart title="Attack success rate" points={points} of={({ asr }) => asr} high={1} />
    </>
  );
}

function LiveChart({
  title,
  points,
  of,
  high,
}: {
  readonly title: string;
  readonly points: readonly LivePoint[];
  readonly of: (point: LivePoint) => number;
  /** Top of the axis, where it does not follow from the values. */
  readonly high?: number;
}) {
  const x = linearScale(0, Math.max(4, points.length - 1));
  const y = linearScale(0, high ?? (Math.max(...points.map(of)) || 1));
  const ticks = { ...x, ticks: [] };
  return (
    <Plot
      description={`${title}, now ${of(points.at(-1)!).toFixed(2)}`}
      x={ticks}
      y={y}
      xTitle="updates"
      yTitle={title}
      height={110}
    >
      {attempts(points).map((attempt) => (
        <PlotLine
          key={attempt[0]!.place}
          x={x}
          y={y}
          points={attempt.map(({ place, point }) => [place, of(point)])}
        />
      ))}
    </Plot>
  );
}

interface Placed {
  readonly place: number;
  readonly point: LivePoint;
}

/** One line for each starting point: its steps rise. */
function attempts(points: readonly LivePoint[]): Placed[][] {
  const lines: Placed[][] = [];
  points.forEach((point, place) => {
    const line = lines.at(-1);
    if (line && point.step > line.at(-1)!.point.step) line.push({ place, point });
    else lines.push([{ place, point }]);
  });
  return lines;
}
