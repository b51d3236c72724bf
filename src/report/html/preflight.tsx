/** What was checked before any label was scanned. */

import type { ScanResult } from '../result.ts';
import { missing, percent, whole } from './numbers.ts';
import { Table } from './parts.tsx';

type Preflight = ScanResult['preflight'];
type Candidate = Preflight['candidates'][number];

export function PreflightTable({ preflight }: { readonly preflight: Preflight }) {
  const { candidates, problems, warnings, samples } = preflight;
  const used = candidates[0];
  return (
    <>
      <Notes title="Problem" sentences={problems} />
      <Notes title="Warning" sentences={warnings} />
      <Table
        caption={`Ways to prepare ${whole(samples)} clean images; the first was used`}
        columns={[
          {
            title: 'Preprocessing',
            cell: (candidate: Candidate) => (
              <>
                <bdi>{candidate.preprocess}</bdi>
                {candidate === used && <span class="badge">used</span>}
              </>
            ),
          },
          {
            title: 'Accuracy',
            cell: ({ accuracy }) => (accuracy === null ? missing : percent(accuracy)),
            numeric: true,
          },
          {
            title: 'Cross entropy',
            cell: ({ crossEntropy }) => crossEntropy?.toFixed(3) ?? missing,
            numeric: true,
          },
          { title: 'Confidence', cell: ({ confidence }) => percent(confidence), numeric: true },
          { title: 'Classes seen', cell: ({ predictedClasses }) => whole(predictedClasses), numeric: true },
          { title: 'Images', cell: (candidate) => whole(candidate.samples), numeric: true },
        ]}
        rows={candidates}
      />
    </>
  );
}

const Notes = ({ title, sentences }: { readonly title: string; readonly sentences: readonly string[] }) => (
  <>
    {sentences.map((sentence) => (
      <p key={sentence} class="warning">
        <strong>{title}:</strong> {sentence}
      </p>
    ))}
  </>
);
