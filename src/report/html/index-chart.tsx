/** Labels by anomaly index, as a table whose bars make a chart. */

import type { OutlierFigures, ReportLabel } from './content.ts';
import { counted, index, percent, pixels, probability } from './numbers.ts';
import { LabelName, levelNames } from './parts.tsx';
import { share } from './plot.tsx';

/** Labels up to which all have a bar, and how many have one if there are more. */
const most = 60;
const shownOfMany = 40;

type Indexed = ReportLabel & { readonly anomalyIndex: number };

export function IndexChart({
  labels,
  outliers,
}: {
  readonly labels: readonly ReportLabel[];
  readonly outliers: OutlierFigures | null;
}) {
  const indexed = labels
    .filter((label): label is Indexed => label.anomalyIndex !== null)
    .toSorted((a, b) => b.anomalyIndex - a.anomalyIndex || a.label - b.label);
  const threshold = outliers?.threshold ?? null;
  if (threshold === null || indexed.length === 0) {
    return <p>There is no anomaly index: too few labels have a finished trigger to compare their masks.</p>;
  }
  const shown = indexed.length > most ? indexed.slice(0, shownOfMany) : indexed;
  const values = [0, threshold, ...shown.map(({ anomalyIndex }) => anomalyIndex)];
  const low = Math.min(...values);
  const high = Math.max(...values);
  const at = (value: number): number => (value - low) / (high - low);
  return (
    <>
      <table class="bars">
        <caption>{`Anomaly index by label, largest first; ▲ flagged, from ${index(threshold)} on`}</caption>
        <thead>
          <tr>
            <th scope="col">Label</th>
            <th scope="col" class="bar">
              <span class="limit" style={{ left: share(at(threshold)) }}>
                {`flagged from ${index(threshold)}`}
              </span>
            </th>
            <th scope="col" class="number">
              Index
            </th>
            <th scope="col" class="number">
              L1, px
            </th>
            <th scope="col" class="number wide">
              p
            </th>
            <th scope="col" class="number wide">
              ASR
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((label) => (
            <IndexRow key={label.label} label={label} at={at} threshold={threshold} />
          ))}
        </tbody>
      </table>
      <Rest shown={shown} all={indexed} total={labels.length} />
    </>
  );
}

function IndexRow({
  label,
  at,
  threshold,
}: {
  readonly label: Indexed;
  readonly at: (value: number) => number;
  readonly threshold: number;
}) {
  const { anomalyIndex, level } = label;
  const [from, to] = [Math.min(0, anomalyIndex), Math.max(0, anomalyIndex)].map(at) as [number, number];
  return (
    <tr class={level}>
      <th scope="row">
        {level && (
          <strong>
            <span aria-hidden="true">▲ </span>
            <span class="unseen">{levelNames[level]}: </span>
          </strong>
        )}
        <LabelName {...label} />
      </th>
      <td class="bar">
        <span class="extent" style={{ left: share(from), width: share(to - from) }} />
        <span class="zero" style={{ left: share(at(0)) }} />
        <span class="limit" style={{ left: share(at(threshold)) }} />
      </td>
      <td class="number">{index(anomalyIndex)}</td>
      <td class="number">{pixels(label.l1)}</td>
      <td class="number wide">{probability(label.pValue)}</td>
      <td class="number wide">{percent(label.asr)}</td>
    </tr>
  );
}

function Rest({
  shown,
  all,
  total,
}: {
  readonly shown: readonly Indexed[];
  readonly all: readonly Indexed[];
  readonly total: number;
}) {
  const hidden = all.length - shown.length;
  const without = total - all.length;
  const sentences = [
    hidden > 0 &&
      `The ${shown.length} largest of ${all.length} indices are drawn; the other ${hidden} lie between ${index(all.at(-1)!.anomalyIndex)} and ${index(shown.at(-1)!.anomalyIndex)}, and are in the table of all labels.`,
    without > 0 && `${counted(without, 'label')} without an index: the ASR threshold was never reached.`,
  ].filter((sentence) => sentence !== false);
  return sentences.length > 0 ? <p class="note">{sentences.join(' ')}</p> : null;
}
