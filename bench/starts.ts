/**
 * Inverts labels from many starting points, to see how often a start misses the smallest trigger.
 *
 *   npm run bench:starts -- MODEL --data DATA --preprocess SPEC --labels 33[,…] [--starts 8] [--preset fast|paper] [--batch N] [--steps N]
 *
 * One core; prints the norms in pixels (C: censored), gradient steps and the processor time of an inversion.
 */

import { parseArgs } from 'node:util';
import { openDataset } from '../src/data/files.ts';
import { openModel } from '../src/data/model-file.ts';
import { parsePreprocess } from '../src/data/preprocess.ts';
import { sampleImages } from '../src/data/sample.ts';
import { Inverter } from '../src/detect/invert.ts';
import { type InversionSettings, type PresetName, presets } from '../src/detect/presets.ts';
import { splitSamples } from '../src/detect/split.ts';
import { prepareClassifier } from '../src/model/classifier.ts';
import { nodeRuntime } from '../src/runtime/node.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    preprocess: { type: 'string' },
    labels: { type: 'string' },
    starts: { type: 'string', default: '8' },
    preset: { type: 'string', default: 'fast' },
    batch: { type: 'string' },
    steps: { type: 'string' },
  },
});
const [path] = positionals;
if (!path || !values.data || !values.preprocess || !values.labels) {
  console.error(
    'Usage: npm run bench:starts -- MODEL --data DATA --preprocess SPEC --labels 33 [--starts 8]',
  );
  process.exit(4);
}
const seed = 0;
const preset = presets[values.preset as PresetName];
const settings: InversionSettings = {
  ...preset,
  batch: Number(values.batch ?? preset.batch),
  schedule: values.steps ? { ...preset.schedule, steps: Number(values.steps) } : preset.schedule,
};
const classifier = await prepareClassifier(nodeRuntime, (await openModel(path)).model);
const images = sampleImages(await openDataset(values.data, { classes: classifier.classes }), 1000, { seed });
const inverter = await Inverter.open(nodeRuntime, {
  classifier,
  preprocess: parsePreprocess(values.preprocess),
  settings,
  images,
  split: splitSamples(images, seed),
  session: { provider: 'cpu' },
});
for (const label of values.labels.split(',').map(Number)) {
  const norms: string[] = [];
  let steps = 0;
  const before = process.cpuUsage();
  for (let start = 0; start < Number(values.starts); start++) {
    const found = await inverter.invert({ label, start, seed }, new AbortController().signal);
    norms.push(`${found.l1.toFixed(1)}${found.status === 'censored' ? 'C' : ''}`);
    steps += found.gradientSteps;
  }
  const { user, system } = process.cpuUsage(before);
  const each = (total: number): number => total / Number(values.starts);
  console.log(
    `label ${label}: ${norms.join(' ')} px; ${each(steps).toFixed(0)} gradient steps, ${each((user + system) / 1e6).toFixed(1)} s a start`,
  );
}
await inverter.release();
