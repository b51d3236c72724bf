/** How the L1 norms of the masks are distributed: a histogram over their logarithm, which is what the test compares. */

import type { OutlierFigures, ReportLabel } from './content.ts';
import { counted, pixels } from './numbers.ts';
import { Table } from './parts.tsx';
import { linearScale, logScale, Plot, type Scale, share } from './plot.tsx';

interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly flagged: readonly number[];
}

/** The smallest norm that an 8-bit mask can hold beside 0. */
const smallestNorm = 1 / 255;

export function NormChart({
  labels,
  outliers,
}: {
  readonly labels: readonly ReportLabel[];
  readonly outliers: OutlierFigures | null;
}) {
  const reversed = labels.filter(({ status }) => status !== 'censored');
  if (reversed.length === 0) return <p>No label has a finished trigger.</p>;
  const norms = reversed.map(({ l1 }) => Math.max(smallestNorm, l1));
  const limit = flagLimit(outliers);
  const low = 0.8 * Math.min(...norms, ...(limit === undefined ? [] : [limit]));
  const high = 1.25 * Math.max(...norms);
  const bins = binsOf(reversed, low, high);
  const x = logScale(low, high);
  const most = Math.max(...bins.map(({ count }) => count));
  // Room for the names above the highest bar
  const y = linearScale(0, 1.15 * most);
  const wholeTicks = { ...y, ticks: y.ticks.filter(Number.isInteger) };
  return (
    <figure class="norms">
      <Plot
        description={`Histogram of the L1 norms of ${counted(reversed.length, 'mask')}. The same figures are in the table below it.`}
        x={x}
        y={wholeTicks}
        xTitle="L1 norm of the mask in pixels, logarithmic"
        yTitle="labels"
        height={220}
      >
        {bins.map((bin) => (
          <BinBar key={bin.from} bin={bin} x={x} y={y} />
        ))}
        {typeof outliers?.median === 'number' && (
          <Marker
            className="median"
            row={0}
            at={x.at(outliers.median)}
            text={`median ${pixels(outliers.median)}`}
          />
        )}
        {limit !== undefined && (
          <Marker className="limit" row={1} at={x.at(limit)} text={`flagged below ${pixels(limit)}`} />
        )}
      </Plot>
      <details>
        <summary>Figures of this chart</summary>
        <Table
          caption="Labels by L1 norm of their mask"
          columns={[
            {
              title: 'L1 norm, pixels',
              cell: ({ from, to }: Bin) => `${pixels(from)} to ${pixels(to)}`,
            },
            { title: 'Labels', cell: ({ count }) => count, numeric: true },
            { title: 'Flagged labels', cell: ({ flagged }) => flagged.join(', ') || 'none' },
          ]}
          rows={bins.filter(({ count }) => count > 0)}
        />
      </details>
    </figure>
  );
}

/** The norm whose anomaly index is the threshold: (median − log L1) / scale, solved for L1. */
function flagLimit(outliers: OutlierFigures | null): number | undefined {
  if (!outliers) return undefined;
  const { median, mad, threshold } = outliers;
  return median === null || mad === null || threshold === null
    ? undefined
    : Math.max(smallestNorm, median * Math.exp(-threshold * mad));
}

/** Bins of equal width on the logarithmic axis. */
function binsOf(labels: readonly ReportLabel[], low: number, high: number): Bin[] {
  const count = Math.min(40, Math.max(12, Math.round(2 * Math.sqrt(labels.length))));
  const edge = (i: number): number => low * (high / low) ** (i / count);
  const binOf = ({ l1 }: ReportLabel): number =>
    Math.min(
      count - 1,
      Math.floor((count * Math.log(Math.max(smallestNorm, l1) / low)) / Math.log(high / low)),
    );
  return Array.from({ length: count }, (_, i) => {
    const inside = labels.filter((label) => binOf(label) === i);
    return {
      from: edge(i),
      to: edge(i + 1),
      count: inside.length,
      flagged: inside.filter(({ level }) => level).map(({ label }) => label),
    };
  });
}

/** Flagged labels are the lower, darker part of a bar. */
function BinBar({ bin, x, y }: { readonly bin: Bin; readonly x: Scale; readonly y: Scale }) {
  const left = x.at(bin.from);
  const width = x.at(bin.to) - left;
  const bar = (className: string, from: number, to: number) => (
    <rect
      class={className}
      x={share(left + 0.05 * width)}
      width={share(0.9 * width)}
      y={share(1 - y.at(to))}
      height={share(y.at(to) - y.at(from))}
    />
  );
  const flagged = bin.flagged.length;
  return (
    <>
      {bin.count > flagged && bar('ordinary', flagged, bin.count)}
      {flagged > 0 && bar('flagged', 0, flagged)}
      {flagged > 0 && (
        <text
          class="flag"
          x={share(left + (left > 0.5 ? width : 0))}
          y={share(1 - y.at(bin.count))}
          dy="-5"
          text-anchor={left > 0.5 ? 'end' : 'start'}
        >
          {`▲ ${flagged > 2 ? counted(flagged, 'label') : bin.flagged.join(', ')}`}
        </text>
      )}
    </>
  );
}

/** A line, named above the plot; rows keep names apart. */
function Marker({
  className,
  row,
  at,
  text,
}: {
  readonly className: string;
  readonly row: number;
  readonly at: number;
  readonly text: string;
}) {
  return (
    <g class={className}>
      <line x1={share(at)} x2={share(at)} y1="0" y2="100%" />
      <text x={share(at)} y="0" dy={-6 - 16 * row} text-anchor={at > 0.5 ? 'end' : 'start'}>
        {text}
      </text>
    </g>
  );
}
