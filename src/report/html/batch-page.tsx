/** The index of a batch as one HTML file: a table of all models, from which their reports are reached. */

import {
  type BatchResult,
  batchFiles,
  countOutcomes,
  type Outcome,
  outcomeOf,
  type ScannedModel,
} from '../batch-result.ts';
import { outcomeLimits, outcomeTitles } from '../batch-words.ts';
import { shellText } from '../command-line.ts';
import { reportFiles } from '../file-names.ts';
import { printable } from '../printable.ts';
import { renderDocument } from './document.tsx';
import { counted, duration, index, missing, moment, percent, pixels, probability } from './numbers.ts';
import { Command, Facts, LabelName, Section, Table } from './parts.tsx';
import { marks } from './verdict.tsx';

/** The file `index.html`. */
export function renderBatchPage(batch: BatchResult): string {
  const counts = countOutcomes(batch.models);
  const title = titleOf(counts, batch.models.length);
  // Links are made of names as they are, and not as they may be shown.
  const links = batch.models.map((model) =>
    model.status === 'scanned' ? `${encodeURIComponent(model.run)}/${reportFiles.html}` : undefined,
  );
  return renderDocument({
    title: `${title} (neural-cleanse)`,
    children: <BatchPage batch={printable(batch)} links={links} counts={counts} title={title} />,
  });
}

interface PageProps {
  readonly batch: BatchResult;
  /** To the report of each model. */
  readonly links: readonly (string | undefined)[];
  readonly counts: ReadonlyMap<Outcome, number>;
  readonly title: string;
}

const outcomeMarks: Readonly<Record<Outcome, string>> = { ...marks, failed: '✕', pending: '…' };

/** The class that gives an outcome its colour. */
const tone = (outcome: Outcome): string =>
  outcome === 'failed' || outcome === 'pending' ? 'unfinished' : outcome;

function BatchPage({ batch, links, counts, title }: PageProps) {
  const { models, timings, config, environment } = batch;
  const [worst = 'inconclusive'] = counts.keys();
  const failed = models.flatMap((model) => (model.status === 'failed' ? [model] : []));
  return (
    <>
      <a class="skip" href="#models">
        Skip to the models
      </a>
      <header class={`verdict ${tone(worst)}`}>
        <div class="page">
          <p class="brand">
            <span>Neural Cleanse</span> batch of scans
          </p>
          <h1>
            <span class="mark" aria-hidden="true">
              {outcomeMarks[worst]}
            </span>
            {title}
          </h1>
          <p class="subject">
            <bdi>{environment.folder}</bdi>
            <span>scanned {moment(timings.startedAt)}</span>
          </p>
          <dl class="figures">
            {[...counts].map(([outcome, count]) => (
              <div key={outcome}>
                <dt>{outcomeTitles[outcome]}</dt>
                <dd>
                  <strong>{count}</strong>
                  <small>of {counted(models.length, 'model')}</small>
                </dd>
              </div>
            ))}
          </dl>
        </div>
      </header>
      <main class="page">
        <Section
          id="models"
          title="Models"
          intro="The riskiest first: by verdict, then by p-value. Each name leads to the report of the model."
        >
          <ModelTable models={models} links={links} />
        </Section>
        {failed.length > 0 && (
          <Section id="failed" title="Failed">
            <ul>
              {failed.map(({ path, code, message, hint }) => (
                <li key={path}>
                  <bdi>{path}</bdi>: <code>{code}</code>: {message} {hint}
                </li>
              ))}
            </ul>
          </Section>
        )}
        <Section id="limits" title="What this does not prove">
          <ul>
            {[...counts.keys()].map((outcome) => (
              <li key={outcome}>
                <strong>{outcomeTitles[outcome]}:</strong> {outcomeLimits[outcome]}
              </li>
            ))}
          </ul>
        </Section>
        <Section id="reproduce" title="How to get this result again">
          {environment.command.length > 0 && (
            <Command>{shellText(['neural-cleanse', ...environment.command])}</Command>
          )}
          <Facts
            of={{
              Images: config.data,
              Preset: config.preset,
              Seed: config.seed,
              Provider: config.provider,
              Versions: `neural-cleanse ${config.tool}, onnxruntime ${config.onnxruntime}`,
              Duration: duration(timings.seconds),
              Notes: environment.notices.length > 0 ? environment.notices.join(' ') : undefined,
              'All figures': <a href={batchFiles.json}>{batchFiles.json}</a>,
            }}
          />
        </Section>
      </main>
    </>
  );
}

interface Row {
  readonly model: BatchResult['models'][number];
  readonly link: string | undefined;
}

function ModelTable({ models, links }: Pick<BatchResult, 'models'> & Pick<PageProps, 'links'>) {
  /** A cell that only scanned models have. */
  const figure =
    (of: (model: ScannedModel) => string) =>
    ({ model }: Row): string =>
      model.status === 'scanned' ? of(model) : '';
  return (
    <Table
      caption="The label is the one with the smallest mask: where a trigger is, or would be."
      columns={[
        {
          title: 'Model',
          cell: ({ model, link }: Row) =>
            link === undefined ? (
              <bdi>{model.path}</bdi>
            ) : (
              <a href={link}>
                <bdi>{model.path}</bdi>
              </a>
            ),
        },
        { title: 'Verdict', cell: ({ model }) => <OutcomeBadge outcome={outcomeOf(model)} /> },
        {
          title: 'Label',
          cell: ({ model }) =>
            model.status === 'scanned' && model.smallest && <LabelName {...model.smallest} />,
        },
        {
          title: 'Mask, px',
          cell: figure(({ smallest }) => (smallest ? pixels(smallest.l1) : missing)),
          numeric: true,
        },
        {
          title: 'Median, px',
          cell: figure(({ median }) => (median === null ? missing : pixels(median))),
          numeric: true,
        },
        {
          title: 'Index',
          cell: figure(({ smallest }) => index(smallest?.anomalyIndex ?? null)),
          numeric: true,
        },
        { title: 'p-value', cell: figure(({ pValue }) => probability(pValue)), numeric: true },
        {
          title: 'Clean accuracy',
          cell: figure(({ accuracy }) => (accuracy === null ? missing : percent(accuracy))),
          numeric: true,
        },
      ]}
      rows={models.map((model, i) => ({ model, link: links[i] }))}
    />
  );
}

/** States an outcome by word and shape, not by colour alone. */
const OutcomeBadge = ({ outcome }: { readonly outcome: Outcome }) => (
  <span class={`badge ${tone(outcome)}`} style={{ marginLeft: 0 }}>
    <span aria-hidden="true">{outcomeMarks[outcome]}</span> {outcomeTitles[outcome]}
  </span>
);

/** What matters most, in a few words. */
function titleOf(counts: ReadonlyMap<Outcome, number>, models: number): string {
  const [[worst, count] = ['pending', 0] as const] = counts;
  if (worst === 'no-patch-backdoor-found') return `No patch backdoor found in ${counted(models, 'model')}`;
  return `${outcomeTitles[worst]}: ${count} of ${counted(models, 'model')}`;
}
