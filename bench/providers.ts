/**
 * Times one step of the inversion on every provider that works here, with one label and with many in one graph, and says how far
 * a step's results lie from the CPU's.
 *
 *   npm run bench:providers -- MODEL... [--batch N] [--lanes 1,8,43] [--rounds N] [--out FILE.json]
 *
 * Rounds alternate between the providers; medians are printed. The deviation is the relative L2 distance of mask and pattern
 * after one step from the CPU's, the larger of the two, with Adam replaced by plain gradient descent: Adam's first step divides
 * a gradient by its own size, so that the sign of a gradient that is almost 0 would decide.
 */

import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { openModel } from '../src/data/model-file.ts';
import { parsePreprocess } from '../src/data/preprocess.ts';
import {
  momentName,
  openInversion,
  parameterDims,
  parameterName,
  parameters,
  updatedName,
} from '../src/detect/inversion-graph.ts';
import { presets } from '../src/detect/presets.ts';
import { median } from '../src/detect/statistics.ts';
import { type Classifier, prepareClassifier } from '../src/model/classifier.ts';
import { float32, sizeOf, type Tensor } from '../src/onnx/tensor.ts';
import { nodeRuntime } from '../src/runtime/node.ts';
import type { Provider, Session } from '../src/runtime/session.ts';
import { generator } from '../test/support/gradient-check.ts';

const { values, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    batch: { type: 'string', default: '8' },
    lanes: { type: 'string', default: '1,8,43' },
    rounds: { type: 'string', default: '15' },
    out: { type: 'string' },
  },
});
if (models.length === 0) {
  console.error(
    'Usage: npm run bench:providers -- MODEL... [--batch N] [--lanes 1,8,43] [--rounds N] [--out FILE.json]',
  );
  process.exit(4);
}
const batch = Number(values.batch);
const rounds = Number(values.rounds);

const providers: Provider[] = [];
for (const provider of ['cpu', 'cuda', 'webgpu'] as const) {
  try {
    await nodeRuntime.choose(provider);
    providers.push(provider);
  } catch (error) {
    console.error(`${provider}: ${(error as Error).message}`);
  }
}

/** β₁ = β₂ = 0 and a large ε make Adam's step a gradient step, up to a factor. */
const plainDescent = { ...presets.fast.adam, beta1: 0, beta2: 0, epsilon: 1e6 };

function feedsFor(classifier: Classifier, lanes: number): Record<string, Tensor> {
  const random = generator(lanes);
  const filled = (dims: readonly number[], make: () => number): Tensor =>
    float32(dims, Float32Array.from({ length: sizeOf(dims) }, make));
  const { channels, height, width } = classifier.input;
  const targets = new Float32Array(lanes * classifier.classes);
  for (let lane = 0; lane < lanes; lane++)
    targets[lane * classifier.classes + (lane % classifier.classes)] = 1;
  const dims = parameterDims(classifier, 1);
  return {
    images: filled([lanes, batch, channels, height, width], () => 255 * random()),
    targets: float32([lanes, 1, classifier.classes], targets),
    cost: filled([lanes], () => 0.01),
    rate: filled([lanes], () => 1e6),
    ...Object.fromEntries(
      parameters.flatMap((p) => [
        [parameterName(p), filled([lanes, ...dims[p]], () => random() - 0.5)],
        [momentName(p, 1), filled([lanes, ...dims[p]], () => 0)],
        [momentName(p, 2), filled([lanes, ...dims[p]], () => 0)],
      ]),
    ),
  };
}

/** ‖a − b‖ / ‖b − start‖: of the step, not of the parameters. */
function deviation(a: Tensor, b: Tensor, start: Tensor): number {
  let [apart, moved] = [0, 0];
  for (const [i, value] of (b.data as Float32Array).entries()) {
    apart += ((a.data as Float32Array)[i]! - value) ** 2;
    moved += ((start.data as Float32Array)[i]! - value) ** 2;
  }
  return Math.sqrt(apart / moved);
}

const rows = [];
console.log(
  `${cpus()[0]?.model.trim()}, ${cpus().length} cores, node ${process.versions.node}, batch ${batch}\n`,
);
console.log(
  '| model | labels at once | provider | ms a step | ms a label and step | deviation from the CPU |\n|---|---:|---|---:|---:|---:|',
);
for (const path of models) {
  const classifier = await prepareClassifier(nodeRuntime, (await openModel(path)).model, {
    session: { provider: 'cpu' },
  });
  for (const lanes of values.lanes.split(',').map(Number)) {
    const options = {
      ...presets.fast,
      adam: plainDescent,
      batch,
      labels: lanes,
      preprocess: parsePreprocess('unit'),
    };
    const feeds = feedsFor(classifier, lanes);
    const sessions = new Map<Provider, Session>();
    for (const provider of providers)
      sessions.set(provider, await openInversion(nodeRuntime, classifier, options, { provider }));
    const expected = await sessions.get('cpu')!.run(feeds);
    const times = new Map(providers.map((provider) => [provider, [] as number[]]));
    const found = new Map<Provider, number>();
    for (let round = -3; round < rounds; round++) {
      for (const [provider, session] of sessions) {
        const began = performance.now();
        const results = await session.run(feeds);
        if (round >= 0) times.get(provider)!.push(performance.now() - began);
        const apart = parameters
          .map(parameterName)
          .map((name) => deviation(results[updatedName(name)]!, expected[updatedName(name)]!, feeds[name]!));
        found.set(provider, Math.max(found.get(provider) ?? 0, ...apart));
      }
    }
    for (const provider of providers) {
      const ms = median(times.get(provider)!);
      rows.push({ model: basename(path), lanes, provider, ms, deviation: found.get(provider)! });
      console.log(
        `| ${basename(path)} | ${lanes} | ${provider} | ${ms.toFixed(2)} | ${(ms / lanes).toFixed(2)} | ${found.get(provider)!.toExponential(1)} |`,
      );
      await sessions.get(provider)!.release();
    }
  }
}
if (values.out) writeFileSync(values.out, `${JSON.stringify({ batch, rounds, rows }, undefined, 2)}\n`);
