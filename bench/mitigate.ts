/**
 * Filters and prunes backdoored models, and measures both with the true triggers, on images that nothing else has filter.
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
import { stampedImages } from '../src/attack/stamped-images.ts';
import { openTrigger } from '../src/cli/inject-triggers.ts';
import { readFlaggedTriggers } from '../src/cli/mitigation-run.ts';
import { openModelImages } from '../src/cli/model-images.ts';
import { type LabelledImageSet, requireClasses, subset } from '../src/data/dataset.ts';
import { openModel } from '../src/data/model-file.ts';
import type { Preprocess } from '../src/data/preprocess.ts';
import { sampleIndices } from '../src/data/sample.ts';
import { Predictor } from '../src/detect/predictor.ts';
import { createFilter, filterScores } from '../src/mitigate/filter.ts';
import { maskNeurons } from '../src/mitigate/mask-model.ts';
import { MaskedPredictor } from '../src/mitigate/masked-predictor.ts';
import { maskWithout, type PruneCurve, pruneLayers } from '../src/mitigate/pruning.ts';
import { type Classifier, prepareClassifier } from '../src/model/classifier.ts';
import type { Model } from '../src/onnx/graph.ts';
import { type ChartLine, renderLineChart } from '../src/report/mitigation-chart.tsx';
import { nodeRuntime } from '../src/runtime/node.ts';
import type { AttackTrigger } from '../src/triggers/attack-trigger.ts';
import { parseTriggerWord, triggerFrom } from '../src/triggers/spec.ts';

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

interface Subject {
  readonly model: Model;
  readonly classifier: Classifier;
  readonly preprocess: Preprocess;
  readonly judge: LabelledImageSet;
  readonly truths: readonly { readonly label: number; readonly trigger: AttackTrigger }[];
}

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

const without = (set: LabelledImageSet, label: number): number[] =>
  Array.from({ length: set.count }, (_, i) => i).filter((i) => set.labels[i] !== label);

const stamped = (set: LabelledImageSet, { label, trigger }: Subject['truths'][number]): LabelledImageSet =>
  requireClasses(stampedImages(set, without(set, label), trigger));

const shareOf = (bits: readonly boolean[]): number => bits.filter(Boolean).length / bits.length;

/** Accuracy, and of each true trigger the ASR with the bits of which images it turns. */
async function judgeModel(subject: Subject, model: Model) {
  const classifier = await prepareClassifier(nodeRuntime, model, { session });
  const predictor = await Predictor.open(nodeRuntime, classifier, subject.preprocess, session);
  const { judge, truths } = subject;
  const answers = async (set: LabelledImageSet): Promise<number[]> => [
    ...(
      await predictor.predict(
        set,
        Array.from({ length: set.count }, (_, i) => i),
      )
    ).label,
  ];
  try {
    const accuracy = shareOf((await answers(judge)).map((label, i) => label === judge.labels[i]));
    const works: boolean[][] = [];
    for (const truth of truths)
      works.push((await answers(stamped(judge, truth))).map((label) => label === truth.label));
    return { accuracy, works, asr: works.map(shareOf) };
  } finally {
    await predictor.release();
  }
}

/** Points of the receiver operating characteristic, and the area below it. */
function roc(clean: readonly number[], triggered: readonly number[]) {
  const all = [
    ...clean.map((score) => ({ score, positive: false })),
    ...triggered.map((score) => ({ score, positive: true })),
  ].sort((a, b) => b.score - a.score);
  let [hits, alarms, area] = [0, 0, 0];
  const points: [number, number][] = [[0, 0]];
  for (const { positive } of all) {
    if (positive) hits++;
    else {
      alarms++;
      area += hits;
    }
    points.push([alarms / clean.length, hits / triggered.length]);
  }
  const step = Math.ceil(points.length / 400);
  return {
    area: area / (clean.length * triggered.length),
    points: points.filter((_, i) => i < 200 || i % step === 0 || i === points.length - 1),
  };
}

async function tryFilter(subject: Subject, images: LabelledImageSet, triggers: Triggers, works: boolean[][]) {
  const { classifier, preprocess, judge, truths } = subject;
  const filter = await createFilter(nodeRuntime, classifier, preprocess, images, triggers, {
    seed,
    session,
  });
  const score = (set: LabelledImageSet): Promise<number[]> =>
    filterScores(nodeRuntime, classifier, preprocess, filter, set, session);
  const clean = await score(judge);
  const isTarget = (i: number): boolean => truths.some(({ label }) => judge.labels[i] === label);
  const rejected = clean.map((value) => value > filter.threshold);
  const triggered: number[] = [];
  const fnr = [];
  for (const [i, truth] of truths.entries()) {
    const scores = await score(stamped(judge, truth));
    triggered.push(...scores);
    const missed = scores.map((value) => !(value > filter.threshold));
    fnr.push({
      label: truth.label,
      all: shareOf(missed),
      working: shareOf(missed.filter((_, k) => works[i]![k])),
    });
  }
  return {
    neurons: filter.detectors[0]!.neurons.length,
    of: filter.layer.neurons,
    images: filter.images,
    threshold: filter.threshold,
    fpr: shareOf(rejected),
    fprOfTarget: shareOf(rejected.filter((_, i) => isTarget(i))),
    fnr,
    roc: roc(clean, triggered),
  };
}

type Triggers = Awaited<ReturnType<typeof readFlaggedTriggers>>['triggers'];

/** The true triggers along a curve, which the algorithm has not seen. */
async function followCurve(subject: Subject, { layer, order, points }: PruneCurve) {
  const { classifier, preprocess, judge, truths } = subject;
  const predictor = await MaskedPredictor.open(nodeRuntime, classifier, preprocess, layer, session);
  const masks = points.map(({ pruned }) => maskWithout(order.slice(0, pruned), layer));
  const everything = Array.from({ length: judge.count }, (_, i) => i);
  try {
    const accuracy = (await predictor.predict(judge, everything, masks)).map((labels) =>
      shareOf([...labels].map((label, i) => label === judge.labels[i])),
    );
    const asr: number[][] = [];
    for (const truth of truths) {
      const set = stamped(judge, truth);
      const answers = await predictor.predict(
        set,
        Array.from({ length: set.count }, (_, i) => i),
        masks,
      );
      asr.push(answers.map((labels) => shareOf([...labels].map((label) => label === truth.label))));
    }
    return points.map((point, i) => ({
      ...point,
      trueAccuracy: accuracy[i]!,
      trueAsr: asr.map((one) => one[i]!),
    }));
  } finally {
    await predictor.release();
  }
}

async function tryPruning(name: string, subject: Subject, images: LabelledImageSet, triggers: Triggers) {
  const { model, classifier, preprocess } = subject;
  const curves = await pruneLayers(nodeRuntime, classifier, preprocess, images, triggers, 'auto', {
    seed,
    session,
  });
  const results = [];
  for (const curve of curves) {
    const { layer, order, chosen, reached } = curve;
    const masked = maskNeurons(model, layer, order.slice(0, chosen.pruned));
    const { accuracy, asr } = await judgeModel(subject, masked.model);
    const followed = await followCurve(subject, curve);
    results.push({
      layer: layer.name,
      neurons: layer.neurons,
      chosen,
      reached,
      form: masked.form,
      accuracy,
      asr,
      followed,
    });
    const across = (y: (point: (typeof followed)[number]) => number): ChartLine['points'] =>
      followed.map((point) => [point.pruned / layer.neurons, y(point)]);
    draw(`prune-${name}-${layer.name}`, {
      title: `${name}: pruning ${layer.name}`,
      xTitle: 'pruned neurons',
      yTitle: 'share of images used nowhere else',
      lines: [
        { name: 'accuracy', points: across(({ trueAccuracy }) => trueAccuracy) },
        ...subject.truths.map(({ label }, i) => ({
          name: `ASR, true trigger ${subject.truths.length > 1 ? `${i + 1} ` : ''}of ${label}`,
          points: across(({ trueAsr }) => trueAsr[i]!),
        })),
        ...triggers.map(({ label }, i) => ({
          name: `ASR, reversed trigger of ${label}`,
          points: across(({ asr: reversed }) => reversed[i]!),
        })),
      ],
      mark: { x: chosen.pruned / layer.neurons, name: 'chosen' },
    });
  }
  return results;
}

function draw(name: string, chart: Parameters<typeof renderLineChart>[0]): void {
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
  const subject: Subject = { model, classifier, preprocess: scan.preprocess, judge, truths };
  const name = basename(entry.model, '.onnx');
  const before = await judgeModel(subject, model);
  const filter = await tryFilter(subject, images, triggers, before.works);
  const pruned = await tryPruning(name, subject, images, triggers);
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
