import { beforeAll, describe, expect, it } from 'vitest';
import { compileGradient } from '../../src/model/compile.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { ints } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, int64 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { type Fetches, providers } from '../../src/runtime/session.ts';
import { largestDifference } from '../support/compare.ts';
import { smallNetworks } from '../support/small-networks.ts';

const available = (await nodeRuntime.providers()).filter((s) => s.available).map((s) => s.provider);

/** y = x · x. */
function squareModel() {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['N']);
  b.output(b.mul(x, x), 'float32', ['N'], 'y');
  b.output(b.op('Relu', [x]), 'float32', ['N'], 'z');
  return canonicalModel(b.build());
}

describe.each(available)('sessions on %s', (provider) => {
  it.each(Object.entries(smallNetworks))(
    'give the loss and gradients of %s',
    async (_, { feeds, ...network }) => {
      const gradients = async (on: typeof provider): Promise<Fetches> => {
        const session = await compileGradient(nodeRuntime, network.graph, {
          ...network,
          example: feeds,
          provider: on,
        });
        expect(session.provider).toBe(on);
        const results = await session.run(feeds);
        await session.release();
        return results;
      };
      expect(largestDifference(await gradients(provider), await gradients('cpu'))).toBeLessThan(1e-4);
    },
  );

  it('count the zeros of a Pad before a MaxPool', async () => {
    const b = new GraphBuilder();
    const padded = b.pad(b.input('x', 'float32', [1, 1, 2, 2]), [0, 0, 1, 1, 0, 0, 1, 1]);
    const pooled = b.op('MaxPool', [padded], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    b.output(pooled, 'float32', [1, 1, 2, 2], 'y');
    const session = await nodeRuntime.open(canonicalModel(b.build()), { provider });
    const x = float32([1, 1, 2, 2], [-1, -2, -3, -4]);
    expect(await session.run({ x })).toEqual({ y: float32([1, 1, 2, 2], [0, 0, 0, 0]) });
    await session.release();
  });

  it('compute only the outputs asked for, in order when runs overlap', async () => {
    const session = await nodeRuntime.open(squareModel(), { provider });
    expect(session.inputNames).toEqual(['x']);
    expect(session.outputNames).toEqual(['y', 'z']);
    const runs = [1, 2, 3, 4].map((n) => session.run({ x: float32([2], [n, -n]) }, ['y']));
    const squares = [1, 2, 3, 4].map((n) => ({ y: float32([2], [n * n, n * n]) }));
    expect(await Promise.all(runs)).toEqual(squares);
    await session.release();
  });

  it('can be released twice, and not run afterwards', async () => {
    const session = await nodeRuntime.open(squareModel(), { provider });
    const last = session.run({ x: float32([1], [3]) }, ['y']);
    await Promise.all([session.release(), session.release()]);
    expect(await last).toEqual({ y: float32([1], [9]) });
    await expect(session.run({ x: float32([1], [3]) })).rejects.toMatchObject({ code: 'RUNTIME_FAILED' });
  });

  it('say what ONNX Runtime found wrong with the feeds or the graph', async () => {
    const session = await nodeRuntime.open(squareModel(), { provider });
    await expect(session.run({})).rejects.toMatchObject({ code: 'RUNTIME_FAILED', message: /'x'/ });
    await expect(session.run({ x: int64([1], [1]) })).rejects.toMatchObject({ code: 'RUNTIME_FAILED' });
    await expect(session.run({ x: float32([1], [1]) }, ['q'])).rejects.toMatchObject({
      code: 'RUNTIME_FAILED',
    });
    expect(await session.run({ x: float32([1], [2]) }, ['y'])).toEqual({ y: float32([1], [4]) });
    await session.release();

    const b = new GraphBuilder();
    b.output(b.op('NoSuchOperator', [b.input('x', 'float32', [1])]), 'float32', [1], 'y');
    await expect(nodeRuntime.open(canonicalModel(b.build()), { provider })).rejects.toMatchObject({
      code: 'RUNTIME_FAILED',
      message: expect.stringContaining('NoSuchOperator'),
      hint: expect.stringContaining('inspect'),
    });
  });
});

describe('the runtime of Node', () => {
  let statuses: Awaited<ReturnType<typeof nodeRuntime.providers>>;
  beforeAll(async () => {
    statuses = await nodeRuntime.providers();
  });

  it('has the CPU and WebAssembly everywhere', () => {
    expect(available).toEqual(expect.arrayContaining(['cpu', 'wasm']));
  });

  it('lists what auto may choose, and takes the first of it', async () => {
    const { provider, notice } = await nodeRuntime.choose('auto');
    expect(provider).toBe(statuses.find((s) => s.automatic)?.provider);
    expect(notice).toBeUndefined();
    const session = await nodeRuntime.open(squareModel());
    expect(session.provider).toBe(provider);
    await session.release();
  });

  it.each(providers)('takes %s by name, or says why not and what else there is', async (provider) => {
    const status = statuses.find((s) => s.provider === provider)!;
    const choice = nodeRuntime.choose(provider);
    if (status.available) {
      expect(await choice).toEqual({ provider });
    } else {
      await expect(choice).rejects.toMatchObject({
        code: 'PROVIDER_UNAVAILABLE',
        message: `The provider "${provider}" cannot be used here. ${status.reason} Available here: ${available.join(', ')}.`,
      });
    }
  });

  it('gives reasons with a next step for all it does not choose', () => {
    for (const { automatic, reason } of statuses) {
      expect(automatic).toBe(reason === undefined);
      if (reason !== undefined) expect(reason).toMatch(/\.$/);
    }
  });
});
