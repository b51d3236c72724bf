/**
 * Scans pairs of a source and a target on the part of the zoo that no setting was chosen by, and tables what is found.
 *
 *   npm run bench:pairs -- [--zoo DIR] [--gtsrb gtsrb.h5] [--cifar10 cifar10.h5] [--samples N] [--pairs N] [--part judging|tuning] [--only WORD] [--threads N] [--out FILE.json]
 *
 * The models are those with source-specific backdoors and clean ones of the same networks on the same kinds of images. Truth is read after the scans.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseTruth } from '../src/attack/truth.ts';
import { type PairResult, pairName, suspectsOf } from '../src/report/pair-text.ts';
import { gradientStepsOf } from './gradient-steps.ts';
import { scanEntry, zooEntries, zooPaths } from './zoo/scan-zoo.ts';

const { values } = parseArgs({
  options: {
    zoo: { type: 'string', default: '.cache/zoo' },
    gtsrb: { type: 'string' },
    cifar10: { type: 'string' },
    samples: { type: 'string', default: '4000' },
    pairs: { type: 'string', default: '300' },
    part: { type: 'string', default: 'judging' },
    only: { type: 'string', default: '' },
    threads: { type: 'string', default: '2' },
    out: { type: 'string' },
  },
});
const { zoo, samples, pairs, threads } = values;
const paths = zooPaths(values);

interface Row {
  readonly id: string;
  /** As `source → target`. */
  readonly planted: readonly string[];
  readonly verdict: string;
  readonly flaggedLabels: readonly number[];
  readonly flaggedPairs: readonly string[];
  /** The pairs that were looked at closely, smallest mask first. */
  readonly suspects: readonly Pick<PairResult, 'source' | 'label' | 'l1' | 'unlearned'>[];
  readonly gradientSteps: number;
  readonly seconds: number;
}

const ofPart = zooEntries(zoo, paths).filter(
  ({ id, part }) => part === values.part && id.includes(values.only),
);
const attacked = ofPart.filter(({ attack }) => attack.startsWith('source-specific'));
const places = new Set(attacked.map(({ data, network }) => `${data} ${network}`));
const clean = ofPart.filter(
  ({ attack, data, network }) => attack === 'clean' && places.has(`${data} ${network}`),
);
const entries = [...attacked, ...clean];
const rows: Row[] = [];
for (const [i, entry] of entries.entries()) {
  const run = join(zoo, `runs-pairs-${samples}`, entry.id);
  const options = ['--pairs', pairs, '--samples', samples, '--threads', threads];
  const result = scanEntry(zoo, entry, paths, run, options);
  const path = join(zoo, `${entry.id}.truth.json`);
  const { backdoors } = parseTruth(readFileSync(path, 'utf8'), path);
  const planted = backdoors.flatMap(({ policy }) =>
    policy.kind === 'source-specific'
      ? policy.sources.map((source) => pairName({ source, label: policy.target }))
      : [],
  );
  const suspects = result.pairs ? suspectsOf(result.pairs) : [];
  const row: Row = {
    id: entry.id,
    planted,
    verdict: result.verdict,
    flaggedLabels: result.findings.map(({ label }) => label),
    flaggedPairs: (result.pairs?.findings ?? []).map(pairName),
    suspects: suspects.map(({ source, label, l1, unlearned }) => ({ source, label, l1, unlearned })),
    gradientSteps: gradientStepsOf(run),
    seconds: result.timings.inversionSeconds,
  };
  rows.push(row);
  console.error(
    `${i + 1} of ${entries.length}: ${row.id}, ${row.verdict}, flagged ${row.flaggedPairs.join(', ') || 'no pair'}`,
  );
}

console.log(
  `${cpus()[0]?.model.trim()}, node ${process.versions.node}, ${threads} threads, ${samples} images, ${pairs} pairs to the end\n`,
);
console.log(
  '| model | planted (rank among the suspects) | flagged pairs | verdict | gradient steps | s of inversions |',
);
console.log('|---|---|---|---|---:|---:|');
for (const { id, planted, suspects, flaggedPairs, verdict, gradientSteps, seconds } of rows) {
  const ranks = planted.map((pair) => {
    const rank = suspects.findIndex((suspect) => pairName(suspect) === pair);
    return `${pair} (${rank < 0 ? '–' : rank + 1})`;
  });
  const cells = [
    id,
    ranks.join(', ') || '–',
    flaggedPairs.join(', ') || '–',
    verdict,
    gradientSteps,
    seconds.toFixed(0),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
const isFound = ({ planted, flaggedPairs }: Row): boolean =>
  planted.some((pair) => flaggedPairs.includes(pair));
const isAccused = ({ flaggedPairs }: Row): boolean => flaggedPairs.length > 0;
const [infected, innocent] = [
  rows.filter(({ planted }) => planted.length > 0),
  rows.filter(({ planted }) => planted.length === 0),
];
console.log(
  `\nA planted pair is flagged in ${infected.filter(isFound).length} of ${infected.length} models; ` +
    `of ${innocent.length} clean ones, a pair is flagged in ${innocent.filter(isAccused).length}.`,
);
if (values.out)
  writeFileSync(values.out, `${JSON.stringify({ samples, pairs, threads, rows }, undefined, 2)}\n`);
