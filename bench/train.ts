/**
 * Times training steps (dropout on, Adam) here and in PyTorch eager on the same network, batch and threads, and shows where
 * ours spend their time. Then trains MNIST for some epochs.
 *
 *   npm run bench:train -- [--python PATH] [--threads N] [--rounds N] [--epochs N] [--out FILE.json]
 *
 * Both engines take turns; ratios are taken round by round, and medians of these are printed. Where other programs keep the
 * machine busy, compare the CPU times of one thread (--threads 1).
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gradientName } from '../src/autodiff/gradient.ts';
import { requireClasses } from '../src/data/dataset.ts';
import { openDataset } from '../src/data/files.ts';
import { preprocessPresets } from '../src/data/preprocess.ts';
import { median } from '../src/detect/statistics.ts';
import { GraphBuilder } from '../src/onnx/builder.ts';
import { type Graph, prune } from '../src/onnx/graph.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { writeModel } from '../src/onnx/write.ts';
import { nodeRuntime } from '../src/runtime/node.ts';
import type { Session } from '../src/runtime/session.ts';
import { readBatch } from '../src/train/batches.ts';
import { drawMasks } from '../src/train/dropout-masks.ts';
import { rateCount, rates } from '../src/train/optimizer.ts';
import { stepModel } from '../src/train/step-graph.ts';
import { Stepper } from '../src/train/stepper.ts';
import { train } from '../src/train/train.ts';
import { trainingSet } from '../src/train/training-set.ts';
import { stripes } from '../test/train/parity-cases.ts';
import { mnistFolder } from './mnist.ts';
import { batch, modelOf, optimizer, stepOf, type TrainingCase, trainingCases } from './train-case.ts';

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '15' },
    epochs: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});
const threads = Number(values.threads);
const rounds = Number(values.rounds);
const stepsPerRound = 10;
const pauseMs = 300;
const session = { provider: 'cpu', threads } as const;
const folder = mkdtempSync(join(tmpdir(), 'nc-train-'));

/** The PyTorch side: one command, one line of JSON. */
class Torch {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  constructor(python: string, model: string) {
    const script = join(import.meta.dirname, 'reference/train_torch.py');
    this.child = spawn(python, [script, '--model', model, '--threads', String(threads), '--dropout']);
    this.child.stderr.resume();
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async ask<T>(command: string): Promise<T> {
    this.child.stdin.write(`${command}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`train_torch.py ended at "${command}"`);
    return JSON.parse(value) as T;
  }

  close(): void {
    this.child.stdin.end('quit\n');
  }
}

/** The step up to the gradients, each of which is summed so that it need not be copied. */
function upToGradients(graph: Graph, weights: readonly string[]): Graph {
  const b = new GraphBuilder({ ...graph, outputs: graph.outputs.slice(0, 2) }, 'bench/');
  for (const weight of weights) b.output(b.reduceSum(gradientName(weight), undefined, false), 'float32', []);
  return prune(b.build());
}

async function measure(trainingCase: TrainingCase) {
  const { net, size, channels, classes } = trainingCase;
  const model = modelOf(trainingCase);
  const path = join(folder, `${net}.onnx`);
  writeFileSync(path, writeModel(model));
  const torch = values.python ? new Torch(values.python, path) : undefined;
  const { classifier, options, graph, masks, state: initial } = await stepOf(model, session);
  const { trainable } = options;
  const data = trainingSet(stripes(64 * batch, size, channels, classes));
  const open = (part: Graph): Promise<Session> => nodeRuntime.open(stepModel(part), session);
  const measured = graph.outputs.slice(0, 2);
  const sessions = {
    forward: await open(prune({ ...graph, outputs: measured })),
    gradients: await open(upToGradients(graph, trainable)),
  };
  const stepper = await Stepper.open(nodeRuntime, classifier, [batch], { ...options, seed: 1 }, session);

  let step = 0;
  const miniBatch = () => {
    const indices = Array.from({ length: batch }, (_, j) => (step * batch + j) % data.count);
    return readBatch(data, indices, 1, classes);
  };
  const feedsOf = () => {
    return {
      ...miniBatch(),
      ...drawMasks(masks, 1, step),
      ...Object.fromEntries(stepper.state),
      rates: float32([rateCount], rates(optimizer, step + 1, optimizer.learningRate)),
    };
  };
  /** Mean milliseconds a step. The threads of other sessions, and of the other engine, spin for a while before they sleep. */
  async function timed(run: () => Promise<unknown>): Promise<{ ms: number; cpuMs: number }> {
    await setTimeout(pauseMs);
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    for (let i = 0; i < stepsPerRound; i++) await run();
    const { user, system } = process.cpuUsage(cpu);
    return {
      ms: (performance.now() - start) / stepsPerRound,
      cpuMs: (user + system) / 1000 / stepsPerRound,
    };
  }
  /** Runs a part of the step on one and the same mini-batch. */
  const repeated = (part: Session) => {
    const wanted = Object.entries(feedsOf()).filter(([input]) => part.inputNames.includes(input));
    return timed(() => part.run(Object.fromEntries(wanted)));
  };
  async function ours(): Promise<Record<'data' | 'step' | 'stepCpu' | 'forward' | 'gradients', number>> {
    const before = stepper.runtimeMs;
    const whole = await timed(async () => {
      await stepper.run(miniBatch(), step, optimizer.learningRate);
      step++;
    });
    const runtimeMs = (stepper.runtimeMs - before) / stepsPerRound;
    const [forward, gradients] = [await repeated(sessions.forward), await repeated(sessions.gradients)];
    return {
      data: whole.ms - runtimeMs,
      step: whole.ms,
      stepCpu: whole.cpuMs,
      forward: forward.ms,
      gradients: gradients.ms,
    };
  }

  const names = ['data', 'step', 'stepCpu', 'forward', 'gradients', 'torch', 'torchCpu'] as const;
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    (typeof names)[number],
    number[]
  >;
  for (let round = -2; round < rounds; round++) {
    const mine = await ours();
    await setTimeout(pauseMs);
    const theirs =
      torch && (await torch.ask<{ ms: number; cpuMs: number }>(`step ${batch} ${stepsPerRound}`));
    if (round < 0) continue;
    for (const [name, ms] of Object.entries(mine) as [keyof typeof mine, number][]) times[name].push(ms);
    if (theirs) {
      times.torch.push(theirs.ms);
      times.torchCpu.push(theirs.cpuMs);
    }
  }
  const versions = torch && (await torch.ask<Record<string, unknown>>('versions'));
  torch?.close();
  for (const opened of [...Object.values(sessions), stepper]) await opened.release();
  const ratio = (a: readonly number[], b: readonly number[]): number => median(a.map((v, i) => v / b[i]!));
  const without = (a: readonly number[], ...others: (readonly number[])[]): number =>
    median(a.map((v, i) => others.reduce((rest, other) => rest - other[i]!, v)));
  return {
    net,
    weights: trainable.reduce((n, name) => n + initial.get(name)!.data.length, 0),
    stepMs: median(times.step),
    dataMs: median(times.data),
    forwardMs: median(times.forward),
    backwardMs: without(times.gradients, times.forward),
    updateMs: without(times.step, times.gradients, times.data),
    cpuMs: median(times.stepCpu),
    ...(torch && {
      torchMs: median(times.torch),
      torchCpuMs: median(times.torchCpu),
      speed: ratio(times.torch, times.step),
      speedByCpu: ratio(times.torchCpu, times.stepCpu),
    }),
    versions,
  };
}

async function trainMnist(epochs: number) {
  const part = async (split: 'train' | 'test') =>
    trainingSet(requireClasses(await openDataset(mnistFolder, { split })));
  const [data, validation] = [await part('train'), await part('test')];
  const model = modelOf(trainingCases[0]);
  const { history, seconds, runtimeMs } = await train(
    nodeRuntime,
    model,
    data,
    {
      epochs,
      batch,
      seed: 1,
      optimizer,
      schedule: { kind: 'constant' },
      preprocess: preprocessPresets.unit,
      batchNormalization: 'update',
      dropout: true,
    },
    { validation, session },
  );
  return { epochs, seconds, runtimeShare: runtimeMs / 1000 / seconds, history };
}

const f = (v: number | undefined, digits = 1): string => (v === undefined ? '–' : v.toFixed(digits));
const ort = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
try {
  const steps = [];
  for (const trainingCase of trainingCases) steps.push(await measure(trainingCase));
  console.log(
    `${cpus()[0]?.model.trim()}, ${threads} thread(s), batch ${batch}, ${rounds} rounds, onnxruntime-node ${ort.version}, node ${process.versions.node}\n`,
  );
  console.log(
    '| net | weights | step ms | of it: data and masks | forward | backward | update and copies | PyTorch step ms | our speed / PyTorch | CPU ms | PyTorch CPU ms | our speed / PyTorch |',
  );
  console.log('|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|');
  for (const r of steps) {
    const parts = [r.stepMs, r.dataMs, r.forwardMs, r.backwardMs, r.updateMs, r.torchMs].map((v) => f(v));
    const cpu = `${f(r.cpuMs)} | ${f(r.torchCpuMs)} | ${f(r.speedByCpu, 2)}`;
    console.log(`| ${r.net} | ${r.weights} | ${parts.join(' | ')} | ${f(r.speed, 2)} | ${cpu} |`);
  }
  const epochs = Number(values.epochs);
  const mnist = epochs > 0 ? await trainMnist(epochs) : undefined;
  if (mnist) {
    const { accuracy } = mnist.history.at(-1)!.validation!;
    console.log(
      `\nmnist-cnn, ${mnist.epochs} epochs of 60,000 and a test of 10,000 after each: ${f(mnist.seconds)} s, ` +
        `${f(100 * mnist.runtimeShare, 0)} % of it in steps; test accuracy ${f(100 * accuracy, 2)} %`,
    );
  }
  if (values.out)
    writeFileSync(values.out, `${JSON.stringify({ threads, batch, rounds, steps, mnist }, undefined, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
