/**
 * What a scan costs as labels grow in number: synthetic classifiers with one planted backdoor, scanned by the command line.
 *
 *   npm run build && npm run bench:labels -- [--labels 10,43,100,300,1000] [--threads N] [--runs DIR]
 *
 * A classifier matches images of 16×16 pixels with one random template a class; three bright pixels in a corner that all images
 * keep dark raise the score of the planted label above all others. Images are noisy templates.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { saveModel } from '../src/data/model-file.ts';
import { writeNpy } from '../src/data/npy.ts';
import { GraphBuilder } from '../src/onnx/builder.ts';
import { canonicalModel } from '../src/onnx/model.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { randomStream } from '../src/random.ts';
import { scanResult } from '../src/report/result.ts';
import { gradientStepsOf } from './gradient-steps.ts';

const { values } = parseArgs({
  options: {
    labels: { type: 'string', default: '10,43,100,300,1000' },
    threads: { type: 'string', default: '2' },
    runs: { type: 'string', default: join(tmpdir(), 'many-labels') },
  },
});
const side = 16;
const area = side * side;
const corner = [area - 2, area - 1, area - side - 1];

async function make(classes: number, folder: string): Promise<number> {
  const random = randomStream(classes);
  const target = Math.floor(random.next() * classes);
  const templates = Float32Array.from({ length: area * classes }, (_, i) =>
    corner.includes(Math.floor(i / classes)) ? 0 : random.next() < 0.5 ? -1 : 1,
  );
  const b = new GraphBuilder();
  const flat = b.reshape(b.input('x', 'float32', ['N', 1, side, side]), [-1, area]);
  const match = b.op('MatMul', [
    b.sub(flat, b.scalar(0.5)),
    b.initializer('templates', float32([area, classes], templates)),
  ]);
  const watch = Float32Array.from({ length: area }, (_, pixel) =>
    corner.includes(pixel) ? 1 / corner.length : 0,
  );
  const bright = b.op('Relu', [
    b.sub(b.op('MatMul', [flat, b.initializer('watch', float32([area, 1], watch))]), b.scalar(0.2)),
  ]);
  const push = Float32Array.from({ length: classes }, (_, label) => (label === target ? 300 : 0));
  b.output(
    b.add(match, b.mul(bright, b.initializer('push', float32([1, classes], push)))),
    'float32',
    ['N', classes],
    'scores',
  );
  mkdirSync(folder, { recursive: true });
  await saveModel(join(folder, 'model.onnx'), canonicalModel(b.build()));

  const count = Math.max(1000, classes);
  const images = Uint8Array.from({ length: count * area }, (_, i) => {
    const [image, pixel] = [Math.floor(i / area), i % area];
    if (corner.includes(pixel)) return 10;
    return 127 + 40 * templates[pixel * classes + (image % classes)]! + 60 * (random.next() - 0.5);
  });
  mkdirSync(join(folder, 'images'), { recursive: true });
  writeFileSync(
    join(folder, 'images/x.npy'),
    writeNpy({ dtype: 'uint8', dims: [count, side, side], data: images }),
  );
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  writeFileSync(join(folder, 'images/y.npy'), writeNpy({ dtype: 'int32', dims: [count], data: labels }));
  return target;
}

console.log(`${cpus()[0]?.model.trim()}, ${values.threads} threads, node ${process.versions.node}\n`);
console.log(
  '| labels | planted | verdict | flagged | gradient steps | a label | s |\n|---:|---:|---|---|---:|---:|---:|',
);
for (const classes of values.labels.split(',').map(Number)) {
  const folder = join(values.runs, String(classes));
  rmSync(folder, { recursive: true, force: true });
  const target = await make(classes, folder);
  const run = join(folder, 'run');
  const main = join(import.meta.dirname, '../dist/cli/main.js');
  const words = [
    'scan',
    join(folder, 'model.onnx'),
    '--data',
    join(folder, 'images'),
    '--samples',
    String(Math.max(1000, classes)),
  ];
  const { stderr } = spawnSync(
    process.execPath,
    [main, ...words, '--preprocess', 'unit', '--threads', values.threads, '--fail-on', 'never', '--out', run],
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], maxBuffer: 1 << 28 },
  );
  let text: string;
  try {
    text = readFileSync(join(run, 'scan.json'), 'utf8');
  } catch {
    throw new Error(`${classes} labels: ${stderr.slice(-2000)}`);
  }
  const result = scanResult.parse(JSON.parse(text));
  const steps = gradientStepsOf(run);
  console.log(
    `| ${classes} | ${target} | ${result.verdict} | ${result.outliers?.flagged.join(', ') || '–'} | ${steps} | ${(steps / classes).toFixed(0)} | ${result.timings.seconds.toFixed(0)} |`,
  );
}
