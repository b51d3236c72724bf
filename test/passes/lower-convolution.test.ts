import { describe, expect, it } from 'vitest';
import { differentiate, gradientName } from '../../src/autodiff/gradient.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { type Attributes, type Graph, int, ints, string } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import type { Tensor } from '../../src/onnx/tensor.ts';
import { blockedDomain, withBlockedOperators } from '../../src/passes/blocked-convolution.ts';
import { lower } from '../../src/passes/lower.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { probe } from '../../src/runtime/probe.ts';
import { blockSizeOf } from '../../src/train/block-size.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';

const session = { provider: 'cpu', threads: 1 } as const;
const blockSize = await blockSizeOf(nodeRuntime, session);

interface Layer {
  readonly op?: 'Conv' | 'ConvTranspose';
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Attributes;
  /** @default true */
  readonly relu?: boolean;
}

/** Loss and gradients of a layer whose kernel and bias are fed, and how many operators of the blocked layout it takes. */
async function gradients(layer: Layer, size: number | undefined) {
  const random = generator(11);
  const { op = 'Conv', attributes = {}, relu = true } = layer;
  const filters = op === 'Conv' ? layer.w[0]! : layer.w[1]!;
  const feeds: Record<string, Tensor> = {
    x: randomTensor(random, layer.x),
    w: randomTensor(random, layer.w),
    bias: randomTensor(random, [filters]),
  };
  const b = new GraphBuilder(undefined, 'test/');
  for (const [name, { dims }] of Object.entries(feeds)) b.input(name, 'float32', dims);
  const made = b.op(op, ['x', 'w', 'bias'], attributes);
  const y = relu ? b.op('Relu', [made]) : made;
  // Not linear in y, so that the gradient depends on what the forward pass made
  b.output(b.reduceSum(b.mul(y, y), undefined, false), 'float32', [], 'loss');
  const forward = b.build();
  const types = await probe(nodeRuntime, canonicalModel(forward), feeds, { session });
  const differentiated = differentiate(forward, types, { loss: 'loss', wrt: ['x', 'w', 'bias'] });
  const graph: Graph = lower(differentiated, { scatter: true, blocked: true, blockSize: size });
  const opened = await nodeRuntime.open(withBlockedOperators(canonicalModel(graph)), session);
  const results = await opened.run(feeds);
  await opened.release();
  return { results, blocked: graph.nodes.filter((node) => node.domain === blockedDomain).map((n) => n.op) };
}

/** Largest difference of any output, relative to its largest element. */
async function difference(layer: Layer): Promise<number> {
  const [plain, blocked] = [await gradients(layer, undefined), await gradients(layer, blockSize)];
  expect(plain.blocked).toEqual([]);
  const errors = ['loss', ...['x', 'w', 'bias'].map(gradientName)].map((name) => {
    const [a, b] = [plain, blocked].map(({ results }) => results[name]!.data as Float32Array);
    expect(b!.length).toBe(a!.length);
    const largest = a!.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    return a!.reduce((m, v, i) => Math.max(m, Math.abs(v - b![i]!)), 0) / largest;
  });
  return Math.max(...errors);
}

const square = (n: number): Attributes => ({ pads: ints([n, n, n, n]) });

describe('convolutions with fed kernels, blocked', () => {
  it.each<[string, Layer]>([
    ['same size', { x: [16, 16, 9, 8], w: [32, 16, 3, 3], attributes: square(1) }],
    ['no padding', { x: [16, 16, 9, 8], w: [16, 16, 3, 3] }],
    ['no activation', { x: [16, 16, 7, 7], w: [16, 16, 3, 3], relu: false }],
    ['uneven padding', { x: [16, 16, 7, 6], w: [16, 16, 3, 2], attributes: { pads: ints([1, 0, 2, 1]) } }],
    ['padding beyond the kernel', { x: [16, 16, 6, 6], w: [16, 16, 2, 3], attributes: square(3) }],
    [
      'automatic padding',
      { x: [16, 16, 6, 6], w: [16, 16, 4, 4], attributes: { auto_pad: string('SAME_UPPER') } },
    ],
    [
      'stride',
      { x: [16, 16, 10, 9], w: [16, 16, 3, 3], attributes: { strides: ints([2, 3]), ...square(1) } },
    ],
    [
      'dilation',
      { x: [16, 16, 10, 9], w: [16, 16, 3, 3], attributes: { dilations: ints([2, 1]), ...square(2) } },
    ],
    ['few channels', { x: [16, 3, 8, 8], w: [16, 3, 5, 5] }],
    [
      'a transposed convolution',
      { op: 'ConvTranspose', x: [16, 16, 5, 5], w: [16, 16, 3, 3], attributes: { strides: ints([2, 2]) } },
    ],
  ])('agree with plain ones: %s', async (_, layer) => {
    expect(await difference(layer)).toBeLessThan(2e-5);
  });

  it.each<[string, Layer]>([
    ['channels that fill no block', { x: [16, 12, 7, 7], w: [20, 12, 3, 3] }],
    ['groups', { x: [16, 32, 7, 7], w: [32, 16, 3, 3], attributes: { group: int(2) } }],
    ['lines', { x: [16, 16, 9], w: [16, 16, 3] }],
  ])('stay plain: %s', async (_, layer) => {
    expect((await gradients(layer, blockSize)).blocked).toEqual([]);
  });

  it('need a batch that fills blocks for the gradient of the kernel alone', async () => {
    const layer = { w: [16, 16, 3, 3], attributes: square(1) };
    const convolutions = async (batch: number): Promise<number> => {
      const { blocked } = await gradients({ ...layer, x: [batch, 16, 6, 6] }, blockSize);
      return blocked.filter((op) => op === 'Conv').length;
    };
    const all = blockSize === undefined ? 0 : 3;
    expect([await convolutions(16), await convolutions(15)]).toEqual([all, Math.max(0, all - 1)]);
    expect(await difference({ ...layer, x: [15, 16, 6, 6] })).toBeLessThan(2e-5);
  });

  it('convert a value once where the next layer takes it blocked', async () => {
    const { blocked } = await gradients(
      { x: [16, 16, 6, 6], w: [16, 16, 3, 3], attributes: square(1) },
      blockSize,
    );
    const count = (op: string): number => blocked.filter((o) => o === op).length;
    // x, its transpose, the kernel both ways round, dy (for both gradients); y, dx and dw back
    expect([count('ReorderInput'), count('ReorderOutput')]).toEqual(
      blockSize === undefined ? [0, 0] : [5, 3],
    );
  });
});

describe('size of the blocks', () => {
  it('is known for processors that have them and for no other provider', async () => {
    expect([undefined, 8, 16]).toContain(blockSize);
    if (process.arch === 'x64') expect(blockSize).toBeDefined();
    expect(await blockSizeOf(nodeRuntime, { provider: 'wasm' })).toBeUndefined();
  });
});
