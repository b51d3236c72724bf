/** What a repair has changed: the model before and after, and how it went. */

import { estimateMark } from '../estimate-mark.ts';
import type { RepairFigures, RepairReport, RepairRoundReport } from '../repair.ts';
import { index, percent } from './numbers.ts';
import { Table } from './parts.tsx';

type Rate = RepairFigures['accuracy'];

interface Row {
  readonly name: string;
  readonly rate: (figures: RepairFigures) => Rate;
}

export function MitigationTable({ mitigation }: { readonly mitigation: RepairReport }) {
  const { method, output, data, rounds, inversions, measured, conclusion } = mitigation;
  const { before, after, control } = measured;
  return (
    <>
      {conclusion.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      <p>
        {output ? (
          <>
            The result of <code>{method}</code> is <bdi>{output.name}</bdi>. It was measured on {data.measure}{' '}
            images that had no part in the repair; {data.train} images trained it.
          </>
        ) : (
          'No model was written.'
        )}
        {data.pseudoLabels && " Labels are the model's own answers, so accuracy means agreement with them."}
      </p>
      <Table
        caption="The model before and after"
        columns={[
          { title: 'Figure', cell: ({ name }: Row) => name },
          { title: 'Before', cell: ({ rate }) => interval(rate(before)), numeric: true },
          { title: 'After', cell: ({ rate }) => interval(rate(after)), numeric: true },
          { title: 'Change', cell: ({ rate }) => change(rate(before), rate(after)), numeric: true },
          ...(control
            ? [{ title: 'Without triggers', cell: ({ rate }: Row) => interval(rate(control)), numeric: true }]
            : []),
        ]}
        rows={rowsOf(before)}
      />
      {inversions.length > 0 && <Inversions inversions={inversions} />}
      {rounds.length > 0 && <Rounds rounds={rounds} />}
    </>
  );
}

const rowsOf = ({ reversed, truth }: RepairFigures): Row[] => [
  { name: 'Clean accuracy', rate: ({ accuracy }) => accuracy },
  ...reversed.map(({ label, round }, i) => ({
    name: `ASR of the reversed trigger of label ${label}, round ${round}`,
    rate: (figures: RepairFigures) => figures.reversed[i]!.asr,
  })),
  ...truth.map(({ trigger, target }, i) => ({
    name: `ASR of the true trigger ${trigger}${target === null ? '' : `, label ${target}`}`,
    rate: (figures: RepairFigures) => figures.truth[i]!.asr,
  })),
];

type InversionPair = RepairReport['inversions'][number];

const Inversions = ({ inversions }: { readonly inversions: readonly InversionPair[] }) => (
  <Table
    caption="Masks found from fresh starts"
    columns={[
      { title: 'Label', cell: ({ label }: InversionPair) => label },
      { title: 'L1 before', cell: ({ before }) => size(before), numeric: true },
      { title: 'L1 after', cell: ({ after }) => size(after), numeric: true },
      { title: 'Index before', cell: ({ before }) => index(before.anomalyIndex), numeric: true },
      { title: 'Index after', cell: ({ after }) => index(after.anomalyIndex), numeric: true },
      { title: 'Now', cell: ({ remains }) => (remains ? 'still small' : 'as others') },
    ]}
    rows={inversions}
  />
);

const size = ({ status, l1, relative }: InversionPair['before']): string =>
  status === 'censored'
    ? 'no trigger found'
    : `${estimateMark({ status })}${l1.toFixed(1)}${relative === null ? '' : ` (${relative.toFixed(2)} of the usual)`}`;

const Rounds = ({ rounds }: { readonly rounds: readonly RepairRoundReport[] }) => (
  <Table
    caption="Rounds"
    columns={[
      { title: 'Round', cell: ({ round }: RepairRoundReport) => round },
      { title: 'Labels', cell: ({ suspects }) => suspects.map(({ label }) => label).join(', ') },
      { title: 'Triggers stamped', cell: ({ triggers }) => triggers, numeric: true },
      { title: 'Learning rate', cell: ({ learningRate }) => learningRate, numeric: true },
      { title: 'Epoch kept', cell: ({ kept, epochs }) => `${kept} of ${epochs.length}`, numeric: true },
      { title: 'Seconds', cell: ({ timings }) => timings.seconds.toFixed(0), numeric: true },
    ]}
    rows={rounds}
  />
);

const interval = ({ share, low, high }: Rate): string =>
  `${percent(share)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;

function change(before: Rate, after: Rate): string {
  const points = 100 * (after.share - before.share);
  return `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(1)} points`;
}
