/**
 * Filters and prunes backdoored models, and measures both with the true triggers, on images that nothing else has seen.
 *
 *   npm run build && npm run bench:mitigate -- LIST.json [--runs DIR] [--pictures DIR] [--out FILE.json] [--only WORD] [--seed N] [--threads N]
 *
 * LIST.json: [{ "model": PATH, "data": PATH, "truth": [{ "label": 33, "trigger": "square" }], "run": DIR?, "labels": [1, 4]? }, …],
 * paths relative to that file, triggers as `evaluate` takes them. A model without a run is scanned into the folder of runs.
 *
 * What the scan has drawn is left out; of the other images of each class one half makes the filter and prunes, and the other
 * half judges.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openTrigger } from '../src/cli/inject-triggers.ts';
import { readFlaggedTriggers } from '../src/cli/mitigation-run.ts';
import { openModelImages } from '../src/cli/model-images.ts';
import { type LabelledImageSet, requireClasses, subset } from '../src/data/dataset.ts';
import { openModel } from '../src/data/model-file.ts';
import { sampleIndices } from '../src/data/sample.ts';
import { prepareClassifier } from '../src/model/classifier.ts';
import { type LineChart, renderLineChart } from '../src/report/mitigation-chart.tsx';
import { nodeRuntime } from '../src/runtime/node.ts';
import { parseTriggerWord, triggerFrom } from '../src/triggers/spec.ts';
import { tryFilter } from './mitigate/filtering.ts';
import { pruneChart, tryPruning } from './mitigate/pruning.ts';
import { judgeModel, type Subject } from './mitigate/subject.ts';

interface Case {
  readonly model: string;
  readonly data: string;
  readonly truth: readonly { readonly label: number; readonly trigger: string }[];
  readonly run?: string;
  readonly labels?: readonly number[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '.cache/bench-mitigate' },
    pictures: { type: 'string' },
    out: { type: 'string' },
    only: { type: 'string' },
    seed: { type: 'string', default: '0' },
    threads: { type: 'string', default: '2' },
  },
});
const [listFile] = positionals;
if (!listFile || !existsSync(listFile)) {
  console.error(
    'Usage: npm run bench:mitigate -- LIST.json [--runs DIR] [--pictures DIR] [--out FILE.json] [--only WORD]',
  );
  process.exit(4);
}
const list = JSON.parse(readFileSync(listFile, 'utf8')) as Case[];
const at = (path: string): string => resolve(dirname(listFile), path);
const seed = Number(values.seed);
/** Images that a scan draws by default, and that are given to filter and prune. */
const [scanned, known, judging] = [1000, 2000, 2000];
const session = { provider: 'cpu', threads: Number(values.threads) } as const;

function runFolder(entry: Case): string {
  if (entry.run !== undefined) return at(entry.run);
  const folder = join(values.runs!, basename(entry.model, '.onnx'));
  if (!existsSync(join(folder, 'scan.json'))) {
    const main = join(import.meta.dirname, '../dist/cli/main.js');
    const words = ['scan', at(entry.model), '--data', at(entry.data), '--out', folder, '--resume'];
    words.push('--threads', values.threads!, '--fail-on', 'never', '--format', 'json');
    spawnSync(process.execPath, [main, ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return folder;
}

/** Halves of a set, each class split evenly. */
function halves(set: LabelledImageSet, indices: readonly number[]): [number[], number[]] {
  const seen = new Map<number, number>();
  const parts: [number[], number[]] = [[], []];
  for (const image of indices) {
    const label = set.labels[image]!;
    const n = seen.get(label) ?? label;
    seen.set(label, n + 1);
    parts[n % 2]!.push(image);
  }
  return parts;
}

const labelled = (set: LabelledImageSet, indices: readonly number[]): LabelledImageSet =>
  requireClasses(subset(set, indices));

function draw(name: string, chart: LineChart): void {
  if (values.pictures !== undefined)
    writeFileSync(join(values.pictures, `${name}.svg`), renderLineChart(chart));
}

async function tryCase(entry: Case) {
  const folder = runFolder(entry);
  const { model, sha256 } = await openModel(at(entry.model));
  const { scan, triggers } = await readFlaggedTriggers(folder, { sha256, labels: entry.labels });
  const classifier = await prepareClassifier(nodeRuntime, model, { session });
  const all = requireClasses(await openModelImages({ data: at(entry.data), seed }, classifier));
  const drawn = new Set(sampleIndices(all, scanned, { seed: scan.config.seed }));
  const pool = sampleIndices(all, all.count, { seed }).filter((image) => !drawn.has(image));
  const [ours, theirs] = halves(all, pool);
  const images = labelled(all, ours.slice(0, known));
  const { height, width, channels } = classifier.input;
  const truths = [];
  for (const { label, trigger } of entry.truth) {
    const spec = triggerFrom(parseTriggerWord(trigger));
    truths.push({ label, trigger: await openTrigger(spec, [height, width, channels], label) });
  }
  const judge = labelled(all, theirs.slice(0, judging));
  const { preprocess } = scan;
  const subject: Subject = { model, classifier, preprocess, judge, truths, seed, session };
  const name = basename(entry.model, '.onnx');
  const before = await judgeModel(subject, model);
  const filter = await tryFilter(subject, images, triggers, before.works);
  const pruned = await tryPruning(subject, images, triggers);
  for (const one of pruned) draw(`prune-${name}-${one.layer}`, pruneChart(name, one, subject, triggers));
  return {
    name,
    labels: triggers.map(({ label }) => label),
    flagged: entry.labels === undefined,
    known: images.count,
    judged: judge.count,
    accuracy: before.accuracy,
    asr: before.asr,
    filter,
    pruned,
  };
}

const percent = (share: number): string => (100 * share).toFixed(1);
const percents = (shares: readonly number[]): string => shares.map(percent).join(' / ');
console.log(
  `${cpus()[0]?.model.trim()}, ${values.threads} threads, node ${process.versions.node}, seed ${seed}\n`,
);
const rows = [];
for (const entry of list.filter(({ model }) => !values.only || model.includes(values.only))) {
  const row = await tryCase(entry);
  console.error(row.name);
  rows.push(row);
}
if (values.out) writeFileSync(values.out, `${JSON.stringify(rows, undefined, 2)}\n`);
console.log(
  '| model | true ASR % | images: made / judged | neurons | FPR % | of target class % | FNR % | FNR of those that work % | AUC |',
);
console.log('|---|---:|---:|---:|---:|---:|---:|---:|---:|');
for (const { name, asr, known: made, judged, filter } of rows) {
  const misses = (of: 'all' | 'working'): string => percents(filter.fnr.map((one) => one[of]));
  console.log(
    `| ${name} | ${percents(asr)} | ${made} / ${judged} | ${filter.neurons} of ${filter.of} | ${percent(filter.fpr)} | ${percent(filter.fprOfTarget)} | ${misses('all')} | ${misses('working')} | ${filter.roc.area.toFixed(4)} |`,
  );
}
console.log('\n| model | layer | pruned | accuracy % | true ASR % | reversed ASR % | triggers fail |');
console.log('|---|---|---:|---:|---:|---:|---|');
for (const { name, accuracy, asr, pruned } of rows) {
  for (const [i, one] of pruned.entries()) {
    const [before] = one.followed;
    console.log(
      `| ${i === 0 ? name : ''} | ${one.layer}${i === 0 ? ' (chosen)' : ''} | ${one.chosen.pruned} of ${one.neurons} | ${percent(accuracy)} → ${percent(one.accuracy)} | ${percents(asr)} → ${percents(one.asr)} | ${percents(before!.asr)} → ${percents(one.chosen.asr)} | ${one.reached ? 'yes' : 'no'} |`,
    );
  }
}
draw('filter-roc', {
  title: 'Filter: true triggers against clean images, used nowhere else',
  xTitle: 'clean images rejected',
  yTitle: 'triggered images rejected',
  xMost: 0.2,
  lines: rows.slice(0, 6).map(({ name, filter: { roc: curve } }) => ({ name, points: curve.points })),
  mark: { x: 0.05, name: '5 %' },
});
