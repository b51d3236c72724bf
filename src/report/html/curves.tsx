/** How an inversion went: four small charts over its steps. */

import type { LabelRecord } from '../label-record.ts';
import { short, whole } from './numbers.ts';
import { Table } from './parts.tsx';
import { linearScale, Plot, PlotLine } from './plot.tsx';

type Curve = LabelRecord['curve'];
type Quantity = Exclude<keyof Curve, 'step'>;

interface Series {
  readonly quantity: Quantity;
  readonly title: string;
  /** Top of the axis, where it does not follow from the values. */
  readonly high?: number;
}

const series: readonly Series[] = [
  { quantity: 'crossEntropy', title: 'Loss (cross entropy)' },
  { quantity: 'asr', title: 'Attack success rate', high: 1 },
  { quantity: 'norm', title: 'Norm of the mask' },
  { quantity: 'cost', title: 'λ, weight of the norm' },
];

/** Steps in the table beside the charts. */
const listedSteps = 12;

export function Curves({ curve, label }: { readonly curve: Curve; readonly label: number }) {
  if (curve.step.length === 0) return null;
  return (
    <div class="curves">
      {series.map((one) => (
        <CurveChart key={one.quantity} curve={curve} {...one} />
      ))}
      <details>
        <summary>Figures of these charts</summary>
        <CurveTable curve={curve} label={label} />
      </details>
    </div>
  );
}

function CurveChart({ curve, quantity, title, high }: Series & { readonly curve: Curve }) {
  const values = curve[quantity];
  const last = values.at(-1)!;
  const x = linearScale(0, Math.max(1, ...curve.step));
  const y = linearScale(0, high ?? (Math.max(...values) || 1));
  return (
    <Plot
      description={`${title} over ${whole(curve.step.length)} steps: from ${short(values[0]!)} to ${short(last)}.`}
      x={x}
      y={y}
      xTitle="step"
      yTitle={title}
      height={110}
    >
      <PlotLine x={x} y={y} points={curve.step.map((step, i) => [step, values[i]!] as const)} />
    </Plot>
  );
}

function CurveTable({ curve, label }: { readonly curve: Curve; readonly label: number }) {
  const last = curve.step.length - 1;
  const count = Math.min(listedSteps, last + 1);
  const rows = Array.from({ length: count }, (_, i) => Math.round((i * last) / Math.max(1, count - 1)));
  return (
    <Table
      caption={`Inversion of label ${label}, ${count} of its ${whole(last + 1)} steps`}
      columns={[
        { title: 'Step', cell: (i: number) => curve.step[i]!, numeric: true },
        ...series.map(({ title, quantity }) => ({
          title,
          cell: (i: number) => short(curve[quantity][i]!),
          numeric: true,
        })),
      ]}
      rows={rows}
    />
  );
}
