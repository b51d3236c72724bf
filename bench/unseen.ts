/**
 * How far a reversed trigger holds on images that its scan never saw, and how much of its mask lies where the planted one is.
 *
 *   npm run bench:unseen -- RUN LABEL [--box ROW,COLUMN,HEIGHT,WIDTH]
 *
 * RUN is a finished run folder whose model and data are still in place. Images of the label's own class are left out, and
 * so are those that the scan drew, for the inversion and for judging it.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDataset } from '../src/data/files.ts';
import { openModel } from '../src/data/model-file.ts';
import { parsePreprocess } from '../src/data/preprocess.ts';
import { sampleIndices } from '../src/data/sample.ts';
import { readTrigger } from '../src/data/trigger-files.ts';
import { Predictor } from '../src/detect/predictor.ts';
import { prepareClassifier } from '../src/model/classifier.ts';
import { scanResult } from '../src/report/result.ts';
import { nodeRuntime } from '../src/runtime/node.ts';
import { restoreTrigger } from '../src/triggers/render.ts';
import { massInside, type PatchBox } from '../src/triggers/trigger.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { box: { type: 'string' } } });
const [folder, labelText] = positionals;
if (!folder || !labelText) {
  console.error('Usage: npm run bench:unseen -- RUN LABEL [--box ROW,COLUMN,HEIGHT,WIDTH]');
  process.exit(4);
}
const label = Number(labelText);
const run = scanResult.parse(JSON.parse(readFileSync(join(folder, 'scan.json'), 'utf8')));
const { command } = run.environment;
const classifier = await prepareClassifier(nodeRuntime, (await openModel(command[1]!)).model);
const all = await openDataset(command[command.indexOf('--data') + 1]!, { classes: classifier.classes });
const drawn = new Set(sampleIndices(all, run.data.count, { seed: run.config.seed }));
const unseen = Array.from({ length: all.count }, (_, i) => i).filter(
  (i) => !drawn.has(i) && all.labels?.[i] !== label,
);
const trigger = restoreTrigger(await readTrigger(folder, label));
const predictor = await Predictor.open(nodeRuntime, classifier, parsePreprocess(run.preprocess!.name), {
  provider: 'cpu',
});
const clean = await predictor.attackSuccessRate(all, unseen, { ...trigger, mask: zero(trigger.mask) }, label);
const asr = await predictor.attackSuccessRate(all, unseen, trigger, label);
await predictor.release();

console.log(
  `Label ${label}, ${unseen.length} images that the scan did not draw: ASR ${(100 * asr).toFixed(2)} %`,
);
console.log(`(without the trigger ${(100 * clean).toFixed(2)} % are taken for label ${label})`);
if (values.box) {
  const [row, column, height, width] = values.box.split(',').map(Number) as unknown as PatchBox;
  const inside = massInside(trigger, [row, column, height, width]);
  const near = massInside(trigger, [row - 1, column - 1, height + 2, width + 2]);
  console.log(
    `Mask: ${(100 * inside).toFixed(0)} % inside the box, ${(100 * near).toFixed(0)} % within a pixel of it`,
  );
}

function zero<T extends { readonly data: Float32Array }>(tensor: T): T {
  return { ...tensor, data: new Float32Array(tensor.data.length) };
}
