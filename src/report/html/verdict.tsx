/** The head of a report: what the verdict is, why, what it leaves open, and what to do next. */

import { minLabels } from '../../detect/calibration.ts';
import { subjectName } from '../../detect/scan-work.ts';
import { shellText } from '../command-line.ts';
import { nextStep } from '../next-step.ts';
import { notProven } from '../text.ts';
import type { ReportContent } from './content.ts';
import { counted, duration, index, moment, percent, pixels, probability, whole } from './numbers.ts';
import { Command, Section } from './parts.tsx';
import { verdictText } from './verdict-text.ts';

/** Shapes beside the colours. */
export const marks = {
  backdoored: '▲',
  suspicious: '◆',
  'no-patch-backdoor-found': '●',
  inconclusive: '?',
  unfinished: '…',
} as const;

/** Reasons that are open to see; a verdict on hundreds of labels has hundreds. */
const shownReasons = 8;

export function VerdictHeader({ content }: { readonly content: ReportContent }) {
  const { result, run } = content;
  const kind = result?.verdict ?? 'unfinished';
  const { title, sentence } = verdictText(content);
  const { name = `model ${run.model.sha256.slice(0, 12)}` } = run.model;
  return (
    <header class={`verdict ${kind}`}>
      <div class="page">
        <p class="brand">
          <span>Neural Cleanse</span> scan report
        </p>
        <h1>
          <span class="mark" aria-hidden="true">
            {marks[kind]}
          </span>
          {title}
        </h1>
        <p class="sentence">{sentence}</p>
        <p class="subject">
          <bdi>{name}</bdi>
          {run.timings && <span>scanned {moment(run.timings.startedAt)}</span>}
        </p>
        <KeyFigures content={content} />
      </div>
    </header>
  );
}

function KeyFigures({ content: { run, labels, outliers } }: { readonly content: ReportContent }) {
  const [smallest] = labels;
  const { config, preflight, timings, model } = run;
  const scanned = [
    ...(model.classes === undefined || config.labels.length === model.classes
      ? []
      : [`chosen of ${model.classes}`]),
    timings ? `in ${duration(timings.seconds)}` : 'so far',
  ];
  const figures: [name: string, value: string | undefined, note?: string | undefined][] = [
    [
      'Smallest mask',
      smallest?.status === 'reversed' ? `${pixels(smallest.l1)}\u00a0px` : undefined,
      smallest && `label ${smallest.label}`,
    ],
    [
      'Median mask',
      typeof outliers?.median === 'number' ? `${pixels(outliers.median)}\u00a0px` : undefined,
      'of these labels',
    ],
    [
      'Anomaly index',
      typeof outliers?.anomalyIndex === 'number' ? index(outliers.anomalyIndex) : undefined,
      outliers?.threshold ? `flagged from ${index(outliers.threshold)}` : undefined,
    ],
    [
      'p-value',
      typeof outliers?.pValue === 'number' ? probability(outliers.pValue) : undefined,
      'for clean models',
    ],
    [
      'Clean accuracy',
      typeof preflight?.accuracy === 'number' ? percent(preflight.accuracy) : undefined,
      preflight && `of ${whole(preflight.samples)} images`,
    ],
    ['Labels', `${labels.length} of ${config.labels.length}`, scanned.join(', ')],
  ];
  return (
    <dl class="figures">
      {figures
        .filter(([, value]) => value !== undefined)
        .map(([name, value, note]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <strong>{value}</strong>
              {note && <small>{note}</small>}
            </dd>
          </div>
        ))}
    </dl>
  );
}

export function Conclusion({ content }: { readonly content: ReportContent }) {
  const { result, labels } = content;
  if (!result) {
    return (
      <Section id="conclusion" title="What was found so far">
        <p>
          {labels.length < minLabels
            ? `Masks can be compared from ${minLabels} labels on.`
            : 'Labels may be inverted again before there is a verdict, so indices can still change.'}{' '}
          Go on with the same scan by adding <code>--resume</code> to its command.
        </p>
      </Section>
    );
  }
  const next = nextStep(result);
  const more = result.reasons.slice(shownReasons);
  return (
    <Section id="conclusion" title="What was found">
      <div class="columns">
        <div>
          <h3>Reasons</h3>
          <Sentences of={result.reasons.slice(0, shownReasons)} />
          {more.length > 0 && (
            <details>
              <summary>{counted(more.length, 'more reason')}</summary>
              <Sentences of={more} />
            </details>
          )}
        </div>
        <div class="unproven">
          <h3>What this does not prove</h3>
          <p>{notProven[result.verdict]}</p>
        </div>
      </div>
      {result.failed.length > 0 && (
        <>
          <h3>Failed</h3>
          <ul>
            {result.failed.map(({ label, source, start, code, message }) => (
              <li key={`${source}/${label}/${start}`}>
                {subjectName({ label, source })}, start {start}: <code>{code}</code>: {message}
              </li>
            ))}
          </ul>
        </>
      )}
      <h3>Next</h3>
      <p>{next.advice}</p>
      {next.command && <Command>{shellText(['neural-cleanse', ...next.command])}</Command>}
    </Section>
  );
}

const Sentences = ({ of }: { readonly of: readonly string[] }) => (
  <ul>
    {of.map((sentence) => (
      <li key={sentence}>{sentence}</li>
    ))}
  </ul>
);
