/**
 * Loads every ONNX model of a folder and compares its input gradient with central differences.
 *
 *   npm run bench:models -- DIR
 *
 * The derivative of the loss along a direction v is taken from f(x ± h·v) for a few step sizes h, since kinks ask for a
 * small and float32 for a large one; the smallest deviation counts. Two directions: the gradient itself, and noise.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gradientName } from '../src/autodiff/gradient.ts';
import { openModel } from '../src/data/model-file.ts';
import { prepareClassifier } from '../src/model/classifier.ts';
import { compileGradient } from '../src/model/compile.ts';
import { lossFeeds, lossGraph } from '../src/model/loss-graph.ts';
import { toNumbers } from '../src/onnx/tensor.ts';
import { nodeRuntime } from '../src/runtime/node.ts';
import { generator } from '../test/support/gradient-check.ts';

const folder = process.argv[2];
if (!folder) {
  console.error('Usage: npm run bench:models -- DIR');
  process.exit(4);
}
const batch = 4;
const tolerance = 1e-2;
console.log('| model | classes | head | batch in the file | loss | along the gradient | along noise |');
console.log('|---|---:|---|---|---:|---:|---:|');
let failed = 0;
for (const name of readdirSync(folder)
  .filter((f) => f.endsWith('.onnx'))
  .sort()) {
  const { model } = await openModel(join(folder, name));
  const classifier = await prepareClassifier(nodeRuntime, model);
  const loss = lossGraph(classifier);
  const random = generator(1);
  const size = batch * classifier.input.channels * classifier.input.height * classifier.input.width;
  const images = Float32Array.from({ length: size }, random);
  const labels = Array.from({ length: batch }, (_, i) => i % classifier.classes);
  const feeds = lossFeeds(classifier, loss, images, labels);
  const input = classifier.input.name;
  const session = await compileGradient(nodeRuntime, loss.graph, {
    provider: 'cpu',
    loss: loss.loss,
    wrt: [input],
    example: feeds,
  });
  const at = async (x: Float32Array) => session.run(lossFeeds(classifier, loss, x, labels));
  const start = await at(images);
  const gradient = start[gradientName(input)]!.data as Float32Array;
  const noise = Float32Array.from({ length: size }, () => 2 * random() - 1);
  const deviation = async (direction: Float32Array): Promise<number> => {
    const norm = Math.sqrt(direction.reduce((s, v) => s + v * v, 0));
    const v = direction.map((d) => d / norm);
    const analytic = gradient.reduce((s, g, i) => s + g * v[i]!, 0);
    const scale = Math.sqrt(gradient.reduce((s, g) => s + g * g, 0));
    const errors: number[] = [];
    for (const h of [0.3, 0.1, 0.03, 0.01, 0.003]) {
      const moved = async (k: number): Promise<number> =>
        toNumbers((await at(images.map((x, i) => x + k * h * v[i]!)))[loss.loss]!)[0]!;
      const numeric =
        (8 * ((await moved(1)) - (await moved(-1))) - ((await moved(2)) - (await moved(-2)))) / (12 * h);
      errors.push(Math.abs(numeric - analytic) / scale);
    }
    return Math.min(...errors);
  };
  const [along, aside] = [await deviation(gradient), await deviation(noise)];
  if (!(Math.max(along, aside) < tolerance)) failed++;
  const value = toNumbers(start[loss.loss]!)[0]!;
  console.log(
    `| ${name} | ${classifier.classes} | ${classifier.head} | ${classifier.exportedBatch ?? 'free'} | ${value.toFixed(3)} | ${along.toExponential(1)} | ${aside.toExponential(1)} |`,
  );
  await session.release();
}
console.log(`\n${failed} model(s) deviate by more than ${tolerance}, relative to the norm of the gradient.`);
process.exitCode = failed === 0 ? 0 : 1;
