/** References made by bench/reference/torch_references.py: a model with its loss and gradients as PyTorch computes them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gradientName } from '../../src/autodiff/gradient.ts';
import { crossEntropy } from '../../src/autodiff/losses.ts';
import { parseNpy } from '../../src/data/npy.ts';
import { listZip, readZipEntry } from '../../src/data/zip.ts';
import { canonicalize } from '../../src/model/canonical.ts';
import { compileGradient } from '../../src/model/compile.ts';
import { oneHot } from '../../src/model/loss-graph.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { readModel } from '../../src/onnx/read.ts';
import { sizeOf, type Tensor, toNumbers } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { SessionOptions } from '../../src/runtime/session.ts';

export interface Deviation {
  /** Relative L2 errors: ‖ours − reference‖ / ‖reference‖. */
  readonly logits: number;
  readonly input: number;
  /** Over all weights as one vector. */
  readonly weights: number;
  /** The largest of one tensor. */
  readonly worstWeight: { readonly name: string; readonly error: number };
  readonly tensors: number;
  readonly loss: readonly [ours: number, reference: number];
  /** PyTorch's own float32 result against its float64 one, where the reference holds it. */
  readonly torchFloat32: number | undefined;
}

/** The arrays of an .npz file by name. */
export function readNpz(path: string): Map<string, Tensor> {
  const bytes = readFileSync(path);
  return new Map(
    listZip(bytes).map((entry) => [entry.path.replace(/\.npy$/, ''), parseNpy(readZipEntry(bytes, entry))]),
  );
}

/** Differentiates the model of a reference folder and compares every gradient. */
export async function compareWithReference(folder: string, session: SessionOptions = {}): Promise<Deviation> {
  const reference = readNpz(join(folder, 'reference.npz'));
  const { graph } = canonicalize(readModel(readFileSync(join(folder, 'model.onnx'))));
  const x = reference.get('x')!;
  const labels = toNumbers(reference.get('labels')!);
  const input = graph.inputs[0]!.name;
  const output = graph.outputs[0]!.name;
  const classes = reference.get('logits')!.dims[1]!;

  const b = new GraphBuilder(graph, 'nc/loss/');
  const targets = b.input('nc/targets', 'float32', [labels.length, classes]);
  const loss = b.scale(b.reduceSum(crossEntropy(b, output, targets), undefined, false), 1 / labels.length);
  b.output(loss, 'float32', []);
  const weights = [...reference.keys()]
    .filter((k) => k.startsWith('grad:'))
    .map((k) => k.slice('grad:'.length));
  const feeds = { [input]: x, 'nc/targets': oneHot(labels, classes) };
  const compiled = await compileGradient(nodeRuntime, b.build(), {
    provider: 'cpu',
    ...session,
    loss,
    wrt: [input, ...weights],
    example: feeds,
  });
  try {
    const results = await compiled.run(feeds);
    const errors = weights.map((name) => ({
      name,
      ...distance(results[gradientName(name)]!, reference.get(`grad:${name}`)!),
    }));
    const total = (field: 'difference' | 'size'): number =>
      Math.sqrt(errors.reduce((sum, e) => sum + e[field] ** 2, 0));
    const worst = errors.reduce((a, e) => (e.error > a.error ? e : a));
    const float32 = reference.get('grad_input_f32');
    return {
      logits: distance(results[output]!, reference.get('logits')!).error,
      input: distance(results[gradientName(input)]!, reference.get('grad_input')!).error,
      weights: total('difference') / total('size'),
      worstWeight: { name: worst.name, error: worst.error },
      tensors: weights.length,
      loss: [toNumbers(results[loss]!)[0]!, toNumbers(reference.get('loss')!)[0]!],
      torchFloat32: float32 && distance(float32, reference.get('grad_input')!).error,
    };
  } finally {
    await compiled.release();
  }
}

/** Relative L2 distance; shapes must agree. */
function distance(ours: Tensor, reference: Tensor): { difference: number; size: number; error: number } {
  if (sizeOf(ours.dims) !== sizeOf(reference.dims)) {
    throw new Error(`shape [${ours.dims}] against reference [${reference.dims}]`);
  }
  const a = ours.data as Float32Array;
  const b = reference.data as Float32Array;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return {
    difference: Math.sqrt(difference),
    size: Math.sqrt(size),
    error: Math.sqrt(difference / Math.max(size, 1e-30)),
  };
}
