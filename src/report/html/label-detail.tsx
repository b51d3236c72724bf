/** One label closely: its trigger, what that does to images, and how it was found. */

import type { LabelDetail, OutlierFigures, ReportLabel } from './content.ts';
import { Curves } from './curves.tsx';
import type { Example } from './extras.ts';
import { duration, index, maskSize, percent, pixels, probability, whole } from './numbers.ts';
import { Badge, Facts, LabelName, Pixels } from './parts.tsx';

/** Names of labels, where these have some. */
export type LabelNames = ReadonlyMap<number, string>;

function endOf({ status, stopped }: ReportLabel): string {
  if (status === 'screened') return 'early, as its mask was not among the smallest';
  return stopped === 'early-stop' ? 'early, as the norm no longer fell' : 'after all steps';
}

export function LabelDetails({
  detail,
  outliers,
  preliminary,
  area,
  names,
}: {
  readonly detail: LabelDetail;
  readonly outliers: OutlierFigures | null;
  /** Without a result there are no findings yet. */
  readonly preliminary: boolean;
  /** Pixels of an image. */
  readonly area: number;
  readonly names: LabelNames;
}) {
  const { label, pictures, curve, examples } = detail;
  const id = `detail-${label.label}`;
  const flagged = preliminary && outliers?.flagged.includes(label.label);
  return (
    <article class="detail" aria-labelledby={id}>
      <h3 id={id}>
        Label <LabelName {...label} />
        {label.level ? (
          <Badge level={label.level} />
        ) : (
          <span class="badge">{flagged ? 'Preliminary' : 'Not flagged'}</span>
        )}
      </h3>
      <div class="trigger">
        {pictures ? (
          <div class="pictures">
            <TriggerPicture
              kind="Mask"
              note="where, and how strongly"
              label={label}
              picture={pictures.mask}
            />
            <TriggerPicture kind="Pattern" note="what is painted" label={label} picture={pictures.pattern} />
            <TriggerPicture kind="Fusion" note="mask × pattern" label={label} picture={pictures.fusion} />
          </div>
        ) : (
          <p>The run folder no longer holds the arrays of this trigger.</p>
        )}
        <TriggerFacts label={label} median={outliers?.median ?? null} area={area} />
      </div>
      {examples.length > 0 && <Examples examples={examples} target={label} names={names} />}
      {curve && (
        <>
          <h4>How it was found</h4>
          <Curves curve={curve} label={label.label} />
        </>
      )}
    </article>
  );
}

function TriggerPicture({
  kind,
  note,
  label,
  picture,
}: {
  readonly kind: string;
  readonly note: string;
  readonly label: ReportLabel;
  readonly picture: NonNullable<LabelDetail['pictures']>['mask'];
}) {
  return (
    <figure>
      <Pixels picture={picture} alt={`${kind} of the trigger of label ${label.label}`} />
      <figcaption>
        <strong>{kind}</strong> {note}
      </figcaption>
    </figure>
  );
}

function TriggerFacts({
  label,
  median,
  area,
}: {
  readonly label: ReportLabel;
  readonly median: number | null;
  readonly area: number;
}) {
  const {
    l1,
    asr,
    anomalyIndex,
    pValue,
    status,
    start,
    steps,
    gradientSteps,
    seconds,
    compactness,
    unlearned,
  } = label;
  return (
    <Facts
      of={{
        'L1 norm of the mask':
          status === 'censored'
            ? 'no mask reached the ASR threshold'
            : `${maskSize({ l1, status })}, ${percent(l1 / area)} of the image`,
        'Size next to the median':
          median === null ? undefined : `${(l1 / median).toFixed(2)} × ${pixels(median)}\u00a0px`,
        'Confined to a window':
          compactness === undefined
            ? undefined
            : `${compactness.toFixed(1)} × as small as masks of other labels`,
        'Once it is unlearned': unlearned && `${pixels(unlearned.l1)}\u00a0px are needed`,
        'Anomaly index': index(anomalyIndex),
        'p-value': probability(pValue),
        [status === 'screened' ? 'ASR on the last mini-batches' : 'ASR on held-out images']: percent(asr),
        Inversion: `${whole(steps)} steps, ${whole(gradientSteps)} updates, ${duration(seconds)}`,
        Ended: `${endOf(label)}${start === 0 ? '' : `; found by start ${start + 1}`}`,
      }}
    />
  );
}

function Examples({
  examples,
  target,
  names,
}: {
  readonly examples: readonly Example[];
  readonly target: ReportLabel;
  readonly names: LabelNames;
}) {
  const known = examples.some(({ shows }) => shows !== null);
  return (
    <>
      <h4>What it does to images</h4>
      <p class="note">
        {`${known ? 'Held-out images of other classes' : 'Held-out images'}, in the order in which the seed drew them, whether the trigger works on them or not.`}
      </p>
      <ul class="examples">
        {examples.map((example, i) => (
          <li key={i}>
            <StampedImage example={example} target={target} names={names} />
          </li>
        ))}
      </ul>
    </>
  );
}

function StampedImage({
  example: { shows, original, stamped, before, after },
  target,
  names,
}: {
  readonly example: Example;
  readonly target: ReportLabel;
  readonly names: LabelNames;
}) {
  const hit = after.label === target.label;
  const what = shows === null ? 'clean image' : `clean image of class ${shows}`;
  return (
    <>
      <div class="pair">
        <Pixels picture={original} alt={`A ${what}`} />
        <span aria-hidden="true">→</span>
        <Pixels picture={stamped} alt="The same image with the trigger stamped on it" />
      </div>
      <dl>
        {shows !== null && (
          <div>
            <dt>shows</dt>
            <dd>
              <LabelName {...labelOf(shows, names)} />
            </dd>
          </div>
        )}
        <div>
          <dt>read as</dt>
          <dd>
            <LabelName {...labelOf(before.label, names)} /> <small>{percent(before.confidence)}</small>
          </dd>
        </div>
        <div class={hit ? 'hit' : undefined}>
          <dt>stamped</dt>
          <dd>
            <LabelName {...labelOf(after.label, names)} /> <small>{percent(after.confidence)}</small>
            <span class="outcome">{hit ? ' turned' : ' not turned'}</span>
          </dd>
        </div>
      </dl>
    </>
  );
}

function labelOf(label: number, names: LabelNames): Pick<ReportLabel, 'label' | 'name'> {
  const name = names.get(label);
  return name === undefined ? { label } : { label, name };
}
