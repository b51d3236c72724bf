/**
 * Trains small networks here and in PyTorch, from the same weights on the same mini-batches, and compares the losses of all
 * mini-batches, the running statistics and the weights.
 *
 *   npm run bench:train-parity -- --python PATH [--write]
 *
 * --write saves what PyTorch got as test/fixtures/train/parity.json, which the tests compare with.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { requireClasses } from '../src/data/dataset.ts';
import { openDataset } from '../src/data/files.ts';
import { writeNpy } from '../src/data/npy.ts';
import { float32, int64 } from '../src/onnx/tensor.ts';
import { writeModel } from '../src/onnx/write.ts';
import { epochOrder, readBatch } from '../src/train/batches.ts';
import { networks } from '../src/train/networks/index.ts';
import { optimizerDefaults } from '../src/train/settings.ts';
import { trainingSet } from '../src/train/training-set.ts';
import {
  type ParityCase,
  type ParityResult,
  parityCases,
  runCase,
  stripes,
} from '../test/train/parity-cases.ts';
import { mnistFolder } from './mnist.ts';

const { values } = parseArgs({ options: { python: { type: 'string' }, write: { type: 'boolean' } } });
if (!values.python) {
  console.error('Usage: npm run bench:train-parity -- --python PATH [--write]');
  process.exit(4);
}
const python = values.python;

/** The same run in PyTorch. @param flags `--double` computes in float64 */
function inTorch({ model, images, settings }: ParityCase, ...flags: string[]): ParityResult {
  const folder = mkdtempSync(join(tmpdir(), 'nc-parity-'));
  try {
    const set = trainingSet(images);
    const all = Array.from({ length: set.count }, (_, i) => i);
    const pixels = readBatch(set, all, 0, set.classes).images;
    const unit = float32(
      pixels.dims,
      pixels.data.map((v) => v * (1 / 255)),
    );
    const epochs = Array.from({ length: settings.epochs }, (_, e) =>
      epochOrder(settings.seed, e + 1, set.count),
    );
    const save = (name: string, bytes: Uint8Array | string) => writeFileSync(join(folder, name), bytes);
    save('model.onnx', writeModel(model));
    save('images.npy', writeNpy(unit));
    save('labels.npy', writeNpy(int64([set.count], [...images.labels])));
    save('order.npy', writeNpy(int64([settings.epochs, set.count], epochs.flat())));
    save('settings.json', JSON.stringify(settings));
    const script = join(import.meta.dirname, 'reference/train_torch.py');
    const run = spawnSync(
      python,
      [script, '--model', join(folder, 'model.onnx'), '--threads', '1', ...flags],
      {
        input: `train ${folder}\n`,
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      },
    );
    if (run.status !== 0) throw new Error(run.stderr);
    return JSON.parse(run.stdout) as ParityResult;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const mean = (a: readonly number[]): number => a.reduce((sum, v) => sum + v, 0) / a.length;
const largest = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);
const largestOf = (a: ParityResult['weights'], b: ParityResult['weights']): number =>
  Math.max(0, ...Object.entries(a).map(([name, list]) => largest(list, b[name]!)));

/** Enough of a list to notice that it is another one. */
const shortened = (lists: ParityResult['weights']): ParityResult['weights'] =>
  Object.fromEntries(
    Object.entries(lists).map(([name, list]) => [
      name,
      list.slice(0, 16).map((v) => Number(v.toPrecision(8))),
    ]),
  );

/** The networks as they are, for 200 mini-batches of MNIST and 120 of noise with stripes. */
async function largeCases(): Promise<Record<string, ParityCase>> {
  const images = requireClasses(await openDataset(mnistFolder, { split: 'train', limit: 6400 }));
  const settings = { ...parityCases.adam!.settings, epochs: 1, batch: 32, optimizer: optimizerDefaults.adam };
  const mnistCnn = {
    model: networks['mnist-cnn']({ height: 28, width: 28, channels: 1, classes: 10, seed: 1 }),
    images,
  };
  return {
    'mnist-cnn, adam': { ...mnistCnn, settings },
    'mnist-cnn, sgd': { ...mnistCnn, settings: { ...settings, optimizer: optimizerDefaults.sgd } },
    'gtsrb-6conv, sgd': {
      model: networks['gtsrb-6conv']({ height: 32, width: 32, channels: 3, classes: 8, seed: 1 }),
      images: stripes(1280, 32, 3, 8),
      settings: { ...settings, epochs: 3, optimizer: { ...optimizerDefaults.sgd, learningRate: 2e-3 } },
    },
  };
}

console.log(
  '| case | mini-batches | loss, first and last | largest difference of losses | ours from float64 | PyTorch from float64 | of mean loss | of statistics | of weights |',
);
console.log('|---|---:|---|---:|---:|---:|---:|---:|---:|');
const fixture: Record<string, ParityResult> = {};
for (const [name, parityCase] of Object.entries({ ...parityCases, ...(await largeCases()) })) {
  const [torch, exact] = [inTorch(parityCase), inTorch(parityCase, '--double')];
  const ours = await runCase(parityCase);
  if (name in parityCases) {
    fixture[name] = { losses: torch.losses, statistics: torch.statistics, weights: shortened(torch.weights) };
  }
  const cells = [
    largest(torch.losses, ours.losses),
    largest(exact.losses, ours.losses),
    largest(exact.losses, torch.losses),
    Math.abs(mean(torch.losses) - mean(ours.losses)),
    largestOf(torch.statistics, ours.statistics),
    largestOf(torch.weights, ours.weights),
  ].map((v) => v.toExponential(1));
  const ends = `${ours.losses[0]!.toFixed(4)}, ${ours.losses.at(-1)!.toFixed(4)}`;
  console.log(`| ${name} | ${ours.losses.length} | ${ends} | ${cells.join(' | ')} |`);
}
if (values.write) {
  const path = new URL('../test/fixtures/train/parity.json', import.meta.url);
  writeFileSync(path, `${JSON.stringify(fixture, undefined, 1)}\n`);
}
