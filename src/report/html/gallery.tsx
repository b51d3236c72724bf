/** All labels: their masks as pictures, and their figures as a table. */

import { estimateMark } from '../estimate-mark.ts';
import { fullGallery, type ReportLabel } from './content.ts';
import { counted, duration, index, maskSize, percent, pixels, probability, whole } from './numbers.ts';
import { Badge, LabelName, levelNames, Pixels, Table } from './parts.tsx';

export function Gallery({ labels }: { readonly labels: readonly ReportLabel[] }) {
  return (
    <>
      {labels.length > fullGallery && (
        <p class="note">
          {`To keep this file small, fusions are shown for the ${fullGallery} smallest masks only, and the others smaller. The run folder holds all of them in full.`}
        </p>
      )}
      <ul class="gallery">
        {labels.map((label) => (
          <li key={label.label} class={label.level}>
            <GalleryCard label={label} />
          </li>
        ))}
      </ul>
    </>
  );
}

function GalleryCard({ label }: { readonly label: ReportLabel }) {
  const { mask, fusion, status, l1, anomalyIndex, level } = label;
  return (
    <>
      <div class="pictures">
        {mask ? (
          <Pixels picture={mask} alt={`Mask of label ${label.label}`} />
        ) : (
          <span class="no-picture">no picture</span>
        )}
        {fusion && <Pixels picture={fusion} alt={`Fusion of label ${label.label}`} />}
      </div>
      <p class="title">
        <LabelName {...label} />
      </p>
      <p class="value">
        {maskSize({ l1, status })}
        {anomalyIndex !== null && <small>{`index ${index(anomalyIndex)}`}</small>}
      </p>
      {level && <Badge level={level} />}
    </>
  );
}

export function LabelTable({ labels }: { readonly labels: readonly ReportLabel[] }) {
  return (
    <details>
      <summary>{`Table of ${counted(labels.length, 'label')}`}</summary>
      <Table
        caption="All labels, smallest mask first"
        columns={[
          { title: 'Label', cell: (label: ReportLabel) => <LabelName {...label} /> },
          { title: 'Finding', cell: ({ level }) => (level ? levelNames[level] : 'none') },
          {
            title: 'L1, px',
            cell: ({ l1, status }) =>
              status === 'censored' ? 'not reached' : `${estimateMark({ status })}${pixels(l1)}`,
            numeric: true,
          },
          { title: 'Index', cell: ({ anomalyIndex }) => index(anomalyIndex), numeric: true },
          { title: 'p', cell: ({ pValue }) => probability(pValue), numeric: true },
          { title: 'ASR', cell: ({ asr }) => percent(asr), numeric: true },
          { title: 'Start', cell: ({ start }) => start + 1, numeric: true },
          { title: 'Steps', cell: ({ steps }) => whole(steps), numeric: true },
          { title: 'Time', cell: ({ seconds }) => duration(seconds), numeric: true },
        ]}
        rows={labels}
      />
    </details>
  );
}
