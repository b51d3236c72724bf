import { describe, expect, it } from 'vitest';
import { ActivationReader } from '../../src/mitigate/activation-reader.ts';
import { channelAxis } from '../../src/mitigate/channel-axis.ts';
import { findLayer } from '../../src/mitigate/layer.ts';
import { compareNeurons, ranked, spread } from '../../src/mitigate/neurons.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { int, ints, type Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { backdoorChannel, backdoored, images, preprocess, reversed } from './models.ts';

const session = { provider: 'cpu' } as const;
const numbers = (length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(3 * i + 1));

const layerOf = async (model: Model, name: string) =>
  findLayer(nodeRuntime, await prepareClassifier(nodeRuntime, model, { session }), name, session);

/** A network of one or no hidden layer, as `build` continues it from a map [N, 2, 4, 4]. */
function network(build: (b: GraphBuilder, map: string) => string): Model {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['N', 1, 5, 5]);
  const conv = b.op(
    'Conv',
    [x, b.initializer('k', float32([2, 1, 2, 2], numbers(8)))],
    {},
    { outputs: ['conv'] },
  );
  b.output(build(b, conv), 'float32', ['N', 3], 'scores');
  return canonicalModel(b.build());
}

const weights = (b: GraphBuilder, rows: number, columns = 3): string =>
  b.constant(float32([rows, columns], numbers(rows * columns)));

describe('the layers of', () => {
  it('a network that ends in a convolution and a mean', async () => {
    const model = network((b, map) => {
      const relu = b.op('Relu', [map], {}, { outputs: ['relu'] });
      const last = b.op('Conv', [relu, b.constant(float32([3, 2, 1, 1], numbers(6)))]);
      return b.op('Flatten', [b.op('GlobalAveragePool', [b.op('Relu', [last])])], { axis: int(1) });
    });
    const found = { tensor: 'relu', shape: [2, 4, 4], axis: 1, neurons: 2 };
    expect(await layerOf(model, 'penultimate')).toMatchObject(found);
    expect(await layerOf(model, 'last-conv')).toMatchObject(found);
  });

  it('a network whose last convolution is read through a sigmoid gate', async () => {
    const model = network((b, map) => {
      const gated = b.mul(map, b.op('Sigmoid', [map]));
      return b.op('MatMul', [b.op('Flatten', [gated]), weights(b, 32)]);
    });
    expect(await layerOf(model, 'last-conv')).toMatchObject({ tensor: 'conv' });
    expect(await layerOf(model, 'penultimate')).toMatchObject({ shape: [32], axis: 1, neurons: 32 });
  });

  it('a network with maps whose channels come last', async () => {
    const model = network((b, map) => {
      const last = b.op('Transpose', [map], { perm: ints([0, 2, 3, 1]) }, { outputs: ['last'] });
      return b.op('MatMul', [b.op('Flatten', [b.op('Relu', [last])]), weights(b, 32)]);
    });
    expect(await layerOf(model, 'last')).toMatchObject({ shape: [4, 4, 2], axis: 3, neurons: 2 });
  });

  it.each<[string, (b: GraphBuilder, map: string) => string, string]>([
    [
      'no last dense layer',
      (b, map) => {
        const flat = b.op('Flatten', [map]);
        return b.mul(b.op('MatMul', [flat, weights(b, 32)]), b.op('MatMul', [flat, weights(b, 32)]));
      },
      'does not end in one dense layer',
    ],
    [
      'neurons of three dimensions',
      (b, map) => {
        const tokens = b.op('MatMul', [b.reshape(map, [-1, 2, 16]), weights(b, 16)]);
        return b.reduce('ReduceMean', tokens, [1], false);
      },
      'has the shape [2,2,16]',
    ],
  ])('says what is in the way: %s', async (_, build, message) => {
    await expect(layerOf(network(build), 'penultimate')).rejects.toThrow(message);
  });

  it('a model without hidden neurons', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['N', 1, 4, 4]);
    b.output(b.op('MatMul', [b.op('Flatten', [x]), weights(b, 16)]), 'float32', ['N', 3], 'scores');
    await expect(layerOf(canonicalModel(b.build()), 'penultimate')).rejects.toThrow('no hidden neurons');
    await expect(layerOf(canonicalModel(b.build()), 'last-conv')).rejects.toMatchObject({
      code: 'LAYER_NOT_FOUND',
    });
  });
});

it('follows channels through transpositions to the image', () => {
  const b = new GraphBuilder();
  b.input('x', 'float32', ['N', 6, 6, 3]);
  const first = b.op('Transpose', [b.op('Relu', ['x'])], { perm: ints([0, 3, 1, 2]) });
  const again = b.op('Transpose', [first], { perm: ints([0, 2, 1, 3]) });
  const graph = b.build();
  const input = { name: 'x', layout: 'NHWC' } as const;
  expect(channelAxis(graph, 'x', input)).toBe(3);
  expect(channelAxis(graph, first, input)).toBe(1);
  expect(channelAxis(graph, again, input)).toBe(2);
});

it('finds the neuron that a trigger raises, and reads the mean of a map', async () => {
  const classifier = await prepareClassifier(nodeRuntime, backdoored(), { session });
  const layer = await findLayer(nodeRuntime, classifier, 'last-conv', session);
  const reader = await ActivationReader.open(nodeRuntime, classifier, preprocess, layer, session);
  const set = images(90);
  const everything = Array.from({ length: 90 }, (_, i) => i);
  const rows: Float32Array[] = [];
  for await (const row of reader.read(set, everything)) rows.push(row.slice());
  const { clean, gaps } = await compareNeurons(reader, set, everything, [reversed]);
  await reader.release();
  expect(rows).toHaveLength(90);
  for (const neuron of [0, backdoorChannel]) {
    const values = rows.map((row) => row[neuron]!);
    const mean = values.reduce((sum, value) => sum + value, 0) / 90;
    expect(clean.mean[neuron]).toBeCloseTo(mean, 8);
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 90;
    expect(clean.deviation[neuron]).toBeCloseTo(Math.sqrt(variance), 8);
  }
  expect(ranked(gaps[0]!)[0]).toBe(backdoorChannel);
});

it('divides by no spread that is 0, and ranks equal values in order', () => {
  expect([...spread({ deviation: Float64Array.of(0, 2, 0.001) })]).toEqual([0.02, 2, 0.02]);
  expect([...spread({ deviation: Float64Array.of(0, 0) })]).toEqual([1, 1]);
  expect(ranked(Float64Array.of(1, 3, 1, 3))).toEqual([1, 3, 0, 2]);
});
