/** Scans of so many labels that they are screened, over a queue. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { saveModel } from '../../src/data/model-file.ts';
import { presets } from '../../src/detect/presets.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, type Tensor } from '../../src/onnx/tensor.ts';
import { scanResult, withoutTimings } from '../../src/report/result.ts';
import { saveArrays } from '../cli/corner-model.ts';
import { buildProgram, type Program, type Started } from '../cli/program.ts';
import { generator } from '../support/gradient-check.ts';
import { describeWithRedis, RedisServer } from './redis-server.ts';
import { type TestFolder, testFolder } from './support.ts';

/** As few as are screened. */
const classes = presets.fast.screening!.leastLabels;
const target = 71;
const side = 8;
const area = side * side;

/** The three pixels that images keep dark and the backdoor looks at. */
const corner = [area - 2, area - 1, area - side - 1];

/** Values of ±1 by pixel and class; 0 in the corner. */
const random = generator(5);
const templates = Float32Array.from({ length: area * classes }, (_, i) =>
  corner.includes(Math.floor(i / classes)) ? 0 : random() < 0.5 ? -1 : 1,
);

/** Matches images, pixels in [0, 1], with the templates; a bright corner raises the score of the target above all others. */
function model(): Model {
  const b = new GraphBuilder();
  const flat = b.reshape(b.input('x', 'float32', ['N', 1, side, side]), [-1, area]);
  const match = b.op('MatMul', [b.sub(flat, b.scalar(0.5)), b.constant(float32([area, classes], templates))]);
  const watch = Float32Array.from({ length: area }, (_, pixel) =>
    corner.includes(pixel) ? 1 / corner.length : 0,
  );
  const bright = b.op('Relu', [
    b.sub(b.op('MatMul', [flat, b.constant(float32([area, 1], watch))]), b.scalar(0.2)),
  ]);
  const push = Float32Array.from({ length: classes }, (_, label) => (label === target ? 100 : 0));
  const scores = b.add(match, b.mul(bright, b.constant(float32([1, classes], push))));
  b.output(scores, 'float32', ['N', classes], 'scores');
  return canonicalModel(b.build());
}

/** Noisy templates, all classes in turn. */
function samples(count: number): { readonly images: Tensor<'uint8'>; readonly labels: Tensor<'uint8'> } {
  const images = Uint8Array.from({ length: count * area }, (_, i) => {
    const [image, pixel] = [Math.floor(i / area), i % area];
    if (corner.includes(pixel)) return 10;
    return 127 + 40 * templates[pixel * classes + (image % classes)]! + 40 * (random() - 0.5);
  });
  return {
    images: { dtype: 'uint8', dims: [count, side, side], data: images },
    labels: {
      dtype: 'uint8',
      dims: [count],
      data: Uint8Array.from({ length: count }, (_, i) => i % classes),
    },
  };
}

describeWithRedis('a screened scan over a queue', () => {
  let server: RedisServer;
  let folder: TestFolder;
  let program: Program;

  beforeAll(async () => {
    server = await RedisServer.start();
    folder = testFolder();
    program = await buildProgram();
    await saveModel(join(folder.path, 'model.onnx'), model());
    const { images, labels } = samples(3 * classes);
    saveArrays(join(folder.path, 'images'), images, labels);
  });
  afterAll(async () => {
    await server.stop();
    program.remove();
    folder.remove();
  });

  const started: Started[] = [];
  /** Ends with the test. */
  function start(...args: string[]): Started {
    const process = program.start(args, { cwd: folder.path });
    started.push(process);
    return process;
  }
  afterEach(async () => {
    for (const { child, finished } of started.splice(0)) {
      child.kill('SIGKILL');
      await finished;
    }
  });

  const scanned = 'scan model.onnx --data images --preprocess unit'.split(' ');

  async function scan(out: string, ...options: string[]): Promise<void> {
    const { code, stderr } = await start(...scanned, '--out', out, ...options).finished;
    expect(code, stderr.slice(-2000)).toBe(1);
  }

  /** A prefix of its own keeps a scan from taking the results of an earlier one. */
  async function startWorker(prefix: string): Promise<Started> {
    const options = '--provider cpu --threads 1 --cache cache'.split(' ');
    const worker = start('worker', '--redis', server.url, '--prefix', prefix, ...options);
    await worker.said('Takes 1 jobs at a time');
    return worker;
  }

  /** @returns how many jobs it has done */
  async function stop({ child, finished }: Started): Promise<number> {
    child.kill('SIGTERM');
    return (await finished).stderr.match(/ done in /g)?.length ?? 0;
  }

  const read = (out: string, name: string): string => readFileSync(join(folder.path, out, name), 'utf8');
  const resultOf = (out: string) => scanResult.parse(JSON.parse(read(out, 'scan.json')));

  /** Every inversion as it was logged, short runs included; they finish in any order. */
  const inversions = (out: string) =>
    read(out, 'labels.jsonl')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => JSON.stringify(withoutTimings(JSON.parse(line))))
      .toSorted();

  /** By label. Numbers are compared as they are written, which is exact. */
  const norms = (out: string) => resultOf(out).labels.map(({ label, l1, status }) => ({ label, l1, status }));

  it('finds what it finds locally, bit for bit, by one worker or two', async () => {
    await scan('local');
    const local = resultOf('local');
    expect(local).toMatchObject({ verdict: 'backdoored', findings: [{ label: target }] });
    expect(local.labels).toHaveLength(classes);
    const statuses = local.labels.map(({ status }) => status);
    expect(statuses).toEqual(expect.arrayContaining(['screened', 'reversed']));
    const made = inversions('local');
    expect(made.length).toBeGreaterThan(classes);

    for (const count of [1, 2]) {
      const out = `by-${count}`;
      const workers = await Promise.all(Array.from({ length: count }, () => startWorker(out)));
      await scan(out, '--queue', server.url, '--queue-prefix', out);
      const done = await Promise.all(workers.map(stop));
      expect(resultOf(out).verdict).toBe(local.verdict);
      expect(norms(out)).toEqual(norms('local'));
      expect(withoutTimings(resultOf(out))).toEqual(withoutTimings(local));
      expect(inversions(out)).toEqual(made);
      expect(Math.min(...done)).toBeGreaterThan(0);
      expect(done.reduce((a, b) => a + b)).toBe(made.length);
    }
  }, 300_000);
});
