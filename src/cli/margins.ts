/** `neural-cleanse margins MODEL`: a second opinion on a model that needs no images. */

import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { openModel } from '../data/model-file.ts';
import { type Preprocess, preprocessPresets } from '../data/preprocess.ts';
import { type MarginShared, poolMargins } from '../detect/margin-task.ts';
import { type MarginTest, type MarginVerdict, marginVerdict, testMargins } from '../detect/margin-test.ts';
import { type ClassMargin, type MarginSettings, marginDefaults } from '../detect/margins.ts';
import { median } from '../detect/statistics.ts';
import type { Classifier } from '../model/classifier.ts';
import { createPool } from '../runtime/pool.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { preprocessOption, providerOption, sizeOption, wholeNumber } from './arguments.ts';
import type { ModelOptions } from './data-options.ts';
import { exitCodes } from './exit-codes.ts';
import { onInterrupt } from './interrupt.ts';
import { openClassifier } from './open-classifier.ts';
import { note, print, table } from './output.ts';
import { version, versions } from './version.ts';

interface Options extends ModelOptions, MarginSettings {
  readonly preprocess?: Preprocess;
  readonly seed: number;
  readonly format: 'text' | 'json';
  readonly failOn: 'stands-out' | 'never';
}

export const marginsCommand = (program: Command): Command =>
  program
    .command('margins')
    .description('whether the model can be made surer of one class than of all others; needs no images')
    .argument('<model>', 'an ONNX, Keras or TensorFlow.js file')
    .option(
      '--preprocess <spec>',
      'as for scan, but never found by itself, as there are no images; unit if left out',
      preprocessOption,
    )
    .option('--size <h,w>', 'image size, for models that leave it open', sizeOption)
    .option('--output <name>', 'which output of the model holds the class scores')
    .option('--provider <name>', 'auto, cpu, cuda, webgpu or wasm', providerOption, 'auto')
    .option('--threads <n>', 'cores to use', wholeNumber('--threads'), availableParallelism())
    .option('--seed <n>', 'of the random images that the search starts from', wholeNumber('--seed', 0), 0)
    .option('--starts <n>', 'random images for each class', wholeNumber('--starts'), marginDefaults.starts)
    .option('--steps <n>', 'gradient steps of each image', wholeNumber('--steps'), marginDefaults.steps)
    .addOption(new Option('--format <name>', 'what goes to stdout').choices(['text', 'json']).default('text'))
    .addOption(
      new Option('--fail-on <verdict>', 'verdict from which the exit code is 1')
        .choices(['stands-out', 'never'])
        .default('never'),
    )
    .action(runMargins);

async function runMargins(path: string, options: Options): Promise<void> {
  const { preprocess = preprocessPresets.unit, seed, starts, steps } = options;
  if (!options.preprocess) {
    note(
      'Assuming pixels / 255 (--preprocess unit). With other preprocessing than in training the margins mean little.',
    );
  }
  const { model, sha256 } = await openModel(path);
  const { classifier, session } = await openClassifier(model, options);
  const shared = { classifier, preprocess, settings: { starts, steps } };
  const began = performance.now();
  const margins = await searchAll(shared, session, options);
  const test = testMargins(margins.map(({ margin }) => margin));
  const verdict = marginVerdict(test);
  if (options.format === 'text') print(...describe(margins, test, verdict));
  else {
    const { height, width, channels } = classifier.input;
    const result = {
      schemaVersion: 1,
      tool: { name: 'neural-cleanse', version },
      versions,
      model: { name: basename(path), sha256, height, width, channels, classes: classifier.classes },
      preprocess: { name: preprocess.name, assumed: options.preprocess === undefined },
      config: { seed, starts, steps, provider: session.provider },
      margins: margins.map(({ label, margin }) => ({ label, margin })),
      test,
      verdict,
      seconds: (performance.now() - began) / 1000,
    };
    print(JSON.stringify(result, undefined, 2));
  }
  process.exitCode = exitCode(verdict, options.failOn);
}

/** How often progress is told. */
const heartbeatMs = 10_000;

async function searchAll(
  shared: MarginShared,
  { provider = 'auto' }: SessionOptions,
  { threads, seed }: Options,
): Promise<ClassMargin[]> {
  const labels = labelsOf(shared.classifier);
  const pool = await createPool<MarginShared>({ provider, threads, tasks: labels.length, shared });
  const interrupt = onInterrupt(note);
  let done = 0;
  let told = performance.now();
  const onMargin = (): void => {
    done++;
    if (performance.now() - told < heartbeatMs) return;
    told = performance.now();
    note(`${done} of ${labels.length} classes`);
  };
  try {
    return await poolMargins(pool, { labels, seed, signal: interrupt.signal, onMargin });
  } finally {
    interrupt.dispose();
    await pool.close();
  }
}

const labelsOf = ({ classes }: Classifier): number[] => Array.from({ length: classes }, (_, label) => label);

/** Classes that the text lists. */
const listed = 5;

function describe(margins: readonly ClassMargin[], test: MarginTest, verdict: MarginVerdict): string[] {
  const ordered = margins.toSorted((a, b) => b.margin - a.margin);
  const unreached = margins.filter(({ margin }) => margin <= 0).length;
  const rows = ordered
    .slice(0, listed)
    .map(({ label, margin }) => [
      `  class ${label}`,
      margin.toFixed(2),
      ...(label === test.largest ? ['largest'] : []),
    ]);
  return [
    `maximum margins of ${test.classes} classes, in logits: median ${median(margins.map(({ margin }) => margin)).toFixed(2)}`,
    ...table(rows, [1]),
    ...(unreached > 0 ? [`${unreached} classes were never reached.`] : []),
    '',
    ...conclusion(test, verdict),
  ];
}

function conclusion(
  { largest, pValue, publishedPValue, untested, classes }: MarginTest,
  verdict: MarginVerdict,
) {
  if (untested === 'few-classes') return [`Not tested: ${classes} classes are too few to compare.`];
  if (pValue === null) return ['Not tested: all margins but the largest are the same.'];
  const published = publishedPValue === null ? '' : `; ${showP(publishedPValue)} by the published test`;
  const figures = `p = ${showP(pValue)}${published}`;
  return verdict === 'stands-out'
    ? [
        `margins stand out: class ${largest}, ${figures}`,
        'A backdoor with this target would explain it, and so may a class that random pixels resemble.',
        'Scan the model with images to see a trigger.',
      ]
    : [
        `no margin stands out: ${figures}`,
        'That is no proof: backdoors with several targets, and some with one, leave the margins as they are.',
      ];
}

const showP = (p: number): string => String(Number(p.toPrecision(2)));

function exitCode(verdict: MarginVerdict, failOn: Options['failOn']): number {
  if (verdict === 'untested') return exitCodes.failed;
  return verdict === failOn ? exitCodes.finding : exitCodes.ok;
}
