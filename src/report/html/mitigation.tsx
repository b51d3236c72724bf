/** What a repair has changed: the model before and after. */

import type { Mitigation, MitigationFigures } from './content.ts';
import { missing, percent } from './numbers.ts';
import { Table } from './parts.tsx';

interface Row {
  readonly name: string;
  readonly share: (figures: MitigationFigures) => number | null;
}

const rows: readonly Row[] = [
  { name: 'Clean accuracy', share: ({ accuracy }) => accuracy },
  { name: 'ASR of the reversed trigger', share: ({ asr }) => asr },
];

export function MitigationTable({ mitigation }: { readonly mitigation: Mitigation }) {
  const { method, label, output, before, after } = mitigation;
  return (
    <>
      <p>
        The trigger of label {label} was answered by <code>{method}</code>; the result is <bdi>{output}</bdi>.
      </p>
      <Table
        caption="The model before and after"
        columns={[
          { title: 'Figure', cell: ({ name }: Row) => name },
          { title: 'Before', cell: ({ share }) => text(share(before)), numeric: true },
          { title: 'After', cell: ({ share }) => text(share(after)), numeric: true },
          { title: 'Change', cell: ({ share }) => change(share(before), share(after)), numeric: true },
        ]}
        rows={rows}
      />
    </>
  );
}

const text = (share: number | null): string => (share === null ? missing : percent(share));

function change(before: number | null, after: number | null): string {
  if (before === null || after === null) return missing;
  const points = 100 * (after - before);
  return `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(1)} points`;
}
