/**
 * Times one gradient step (forward and input gradient) against the forward pass alone, and against PyTorch eager on the CPU
 * where a Python with torch is given.
 *
 *   npm run bench:engine -- --models DIR [--python PATH] [--threads N] [--rounds N] [--out FILE.json]
 *
 * DIR holds gtsrb6.onnx and resnet18.onnx; with --python they are exported there by bench/reference/torch_step.py.
 * Both engines run in one go, in turn; ratios are taken round by round, and medians of these are printed.
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { openModel } from '../src/data/model-file.ts';
import { median } from '../src/detect/statistics.ts';
import { prepareClassifier } from '../src/model/classifier.ts';
import { compileGradient } from '../src/model/compile.ts';
import { batchDims } from '../src/model/image-input.ts';
import { lossFeeds, lossGraph } from '../src/model/loss-graph.ts';
import { canonicalModel } from '../src/onnx/model.ts';
import { sizeOf } from '../src/onnx/tensor.ts';
import { nodeRuntime } from '../src/runtime/node.ts';
import { generator } from '../test/support/gradient-check.ts';

const { values } = parseArgs({
  options: {
    models: { type: 'string' },
    python: { type: 'string' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '15' },
    out: { type: 'string' },
  },
});
if (!values.models) {
  console.error(
    'Usage: npm run bench:engine -- --models DIR [--python PATH] [--threads N] [--rounds N] [--out FILE.json]',
  );
  process.exit(4);
}
mkdirSync(values.models, { recursive: true });
const threads = Number(values.threads);
const rounds = Number(values.rounds);

/** The PyTorch side: one command, one line of JSON. */
class Torch {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  constructor(python: string, net: string, batch: number) {
    const script = join(import.meta.dirname, 'reference/torch_step.py');
    this.child = spawn(python, [
      script,
      '--net',
      net,
      '--batch',
      String(batch),
      '--threads',
      String(threads),
    ]);
    this.child.stderr.resume();
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async ask<T>(command: string): Promise<T> {
    this.child.stdin.write(`${command}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`torch_step.py ended at "${command}"`);
    return JSON.parse(value) as T;
  }

  close(): void {
    this.child.stdin.end('quit\n');
  }
}

const ratioOf = (a: readonly number[], b: readonly number[]): number => median(a.map((v, i) => v / b[i]!));

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

async function measure(net: string, batch: number) {
  const path = join(values.models!, `${net}.onnx`);
  const torch = values.python ? new Torch(values.python, net, batch) : undefined;
  if (torch && !existsSync(path)) await torch.ask(`export ${path}`);
  const classifier = await prepareClassifier(nodeRuntime, (await openModel(path)).model);
  const loss = lossGraph(classifier);
  const random = generator(1);
  const images = Float32Array.from(
    { length: sizeOf(batchDims(classifier.input, batch)) },
    () => 255 * random(),
  );
  const feeds = lossFeeds(classifier, loss, images, Array<number>(batch).fill(0));
  const input = classifier.input.name;
  const options = { provider: 'cpu', threads } as const;
  const forward = await nodeRuntime.open(canonicalModel(classifier.graph), options);
  const step = await compileGradient(nodeRuntime, loss.graph, {
    ...options,
    loss: loss.loss,
    wrt: [input],
    example: feeds,
  });
  const times = {
    forward: [] as number[],
    step: [] as number[],
    torchForward: [] as number[],
    torchStep: [] as number[],
  };
  const image = { [input]: feeds[input]! };
  for (let round = -2; round < rounds; round++) {
    const f = await timed(() => forward.run(image));
    const s = await timed(() => step.run(feeds));
    const tf = torch && (await torch.ask<{ ms: number[] }>('forward 1')).ms[0]!;
    const ts = torch && (await torch.ask<{ ms: number[] }>('step 1')).ms[0]!;
    if (round < 0) continue;
    times.forward.push(f);
    times.step.push(s);
    if (tf !== undefined && ts !== undefined) {
      times.torchForward.push(tf);
      times.torchStep.push(ts);
    }
  }
  const versions = torch && (await torch.ask<Record<string, unknown>>('versions'));
  torch?.close();
  await forward.release();
  await step.release();
  return {
    net,
    batch,
    forwardMs: median(times.forward),
    stepMs: median(times.step),
    stepOverForward: ratioOf(times.step, times.forward),
    ...(torch && {
      torchForwardMs: median(times.torchForward),
      torchStepMs: median(times.torchStep),
      torchStepOverOurs: ratioOf(times.torchStep, times.step),
      torchForwardOverOurs: ratioOf(times.torchForward, times.forward),
    }),
    peakMemoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
    versions,
  };
}

const ort = JSON.parse(
  readFileSync(new URL('../node_modules/onnxruntime-node/package.json', import.meta.url), 'utf8'),
) as { version: string };
const results = [await measure('gtsrb6', 32), await measure('resnet18', 1), await measure('resnet18', 8)];
const f = (v: number | undefined, digits = 1): string => (v === undefined ? '–' : v.toFixed(digits));
console.log(
  `${cpus()[0]?.model.trim()}, ${threads} thread(s), ${rounds} rounds, onnxruntime-node ${ort.version}, node ${process.versions.node}\n`,
);
console.log(
  '| net | batch | forward ms | step ms | step / forward | PyTorch forward ms | PyTorch step ms | PyTorch step / ours | peak memory MB |',
);
console.log('|---|---:|---:|---:|---:|---:|---:|---:|---:|');
for (const r of results) {
  console.log(
    `| ${r.net} | ${r.batch} | ${f(r.forwardMs)} | ${f(r.stepMs)} | ${f(r.stepOverForward, 2)} | ${f(r.torchForwardMs)} | ${f(r.torchStepMs)} | ${f(r.torchStepOverOurs, 2)} | ${r.peakMemoryMB} |`,
  );
}
if (values.out)
  writeFileSync(values.out, JSON.stringify({ threads, rounds, ort: ort.version, results }, undefined, 2));
