/**
 * Shows where training steps spend their time, by operator, as ONNX Runtime's profiler sees it. Operators of the blocked layout
 * are listed as such; with the names of nodes, forward, backward and update can be told apart.
 *
 *   npm run bench:train-profile -- [--threads N] [--steps N] [--nodes N]
 *
 * Each node counts with the fastest tenth of its runs, and by default one thread works, so that other programs disturb little.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { sizeOf } from '../src/onnx/tensor.ts';
import { writeModel } from '../src/onnx/write.ts';
import { stepModel } from '../src/train/step-graph.ts';
import { modelOf, stepOf, type TrainingCase, trainingCases } from './train-case.ts';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '1' },
    steps: { type: 'string', default: '20' },
    nodes: { type: 'string', default: '0' },
  },
});
const threads = Number(values.threads);
const warmUp = 3;

interface Event {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
  readonly args: { readonly op_name?: string };
}

interface NodeTime {
  readonly name: string;
  readonly op: string;
  readonly ms: number;
}

const fastTenth = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 10)]!;

async function profile(trainingCase: TrainingCase): Promise<NodeTime[]> {
  const { graph } = await stepOf(modelOf(trainingCase), { provider: 'cpu', threads });
  const folder = mkdtempSync(join(tmpdir(), 'nc-profile-'));
  const session = await ort.InferenceSession.create(writeModel(stepModel(graph)), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: { optimization: { disable_specified_optimizers: 'Pad_Fusion' } },
    enableProfiling: true,
    profileFilePrefix: join(folder, 'step'),
  });
  // Small positive numbers keep every value finite and normal: denormal ones take many times as long.
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, dims }) => {
      const shape = dims as number[];
      const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => 0.01 + ((i * 7919) % 1000) / 1e5);
      return [name, new ort.Tensor('float32', data, shape)];
    }),
  );
  for (let step = 0; step < warmUp + Number(values.steps); step++) await session.run(feeds);
  session.endProfiling();
  await session.release();
  const [file = ''] = readdirSync(folder);
  const events = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Event[];
  rmSync(folder, { recursive: true });

  const suffix = '_kernel_time';
  const times = new Map<string, { op: string; durations: number[] }>();
  for (const { cat, name, dur, args } of events) {
    if (cat !== 'Node' || !name.endsWith(suffix)) continue;
    const node = name.slice(0, -suffix.length);
    const time = times.get(node) ?? { op: args.op_name ?? '', durations: [] };
    time.durations.push(dur / 1000);
    times.set(node, time);
  }
  return [...times].map(([name, { op, durations }]) => ({
    name,
    op,
    ms: fastTenth(durations.slice(warmUp)),
  }));
}

const total = (nodes: readonly NodeTime[]): number => nodes.reduce((sum, { ms }) => sum + ms, 0);
const f = (v: number, digits = 2): string => v.toFixed(digits);

for (const trainingCase of trainingCases) {
  const nodes = await profile(trainingCase);
  const all = total(nodes);
  console.log(
    `\n${trainingCase.net}: ${f(all, 1)} ms in ${nodes.length} operators, ${threads} thread(s)\n\n| operator | number | ms | share |\n|---|---:|---:|---:|`,
  );
  const byOp = [...new Set(nodes.map(({ op }) => op))].map(
    (op) => [op, nodes.filter((node) => node.op === op)] as const,
  );
  for (const [op, own] of byOp.toSorted(([, a], [, b]) => total(b) - total(a))) {
    if (total(own) < all / 100) break;
    console.log(`| ${op} | ${own.length} | ${f(total(own))} | ${f((100 * total(own)) / all, 0)} % |`);
  }
  for (const { ms, op, name } of nodes.toSorted((a, b) => b.ms - a.ms).slice(0, Number(values.nodes))) {
    console.log(`${f(ms, 3).padStart(8)} ms  ${op.padEnd(20)} ${name}`);
  }
}
