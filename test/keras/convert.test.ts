import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/onnx/graph.ts';
import { float32, sizeOf } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { array, convert, functional, input, type Json, layer, sequential } from './support.ts';

const count = (model: Model, op: string): number => model.graph.nodes.filter((node) => node.op === op).length;

const conv = (name: string, filters: number, from?: readonly string[], config: Json = {}): Json =>
  layer('Conv2D', name, { filters, kernel_size: [3, 3], padding: 'same', ...config }, from);
const convWeights = (name: string, channels: number, filters: number) => [
  array(`${name}/kernel`, [3, 3, channels, filters]),
  array(`${name}/bias`, [filters]),
];

describe('the layout', () => {
  it('is turned once at the input and once before the flattening', () => {
    const model = convert(
      sequential(
        input('image', 8, 8, 3),
        conv('a', 4),
        layer('BatchNormalization', 'norm'),
        layer('ReLU', 'relu'),
        layer('MaxPooling2D', 'pool'),
        layer('ZeroPadding2D', 'pad'),
        conv('b', 4),
        layer('Flatten', 'flat'),
        layer('Dense', 'scores', { units: 2 }),
      ),
      [
        ...convWeights('a', 3, 4),
        ...['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => array(`norm/${name}`, [4])),
        ...convWeights('b', 4, 4),
        array('scores/kernel', [144, 2]),
        array('scores/bias', [2]),
      ],
    );
    expect(count(model, 'Transpose')).toBe(2);
    expect(model.graph.inputs).toEqual([{ name: 'image', dtype: 'float32', dims: ['N', 8, 8, 3] }]);
  });

  it('is turned once where a branch joins what was turned already', () => {
    const model = convert(
      functional(
        [
          input('image', 8, 8, 3),
          conv('a', 3, ['image']),
          layer('Add', 'add', {}, ['image', 'a']),
          conv('b', 3, ['add']),
          layer('Concatenate', 'join', {}, ['b', 'add', 'image']),
          layer('GlobalAveragePooling2D', 'mean', {}, ['join']),
        ],
        ['mean'],
      ),
      [...convWeights('a', 3, 3), ...convWeights('b', 3, 3)],
    );
    expect(count(model, 'Transpose')).toBe(1);
    expect(model.graph.outputs[0]!.dims).toEqual(['N', 9]);
  });

  it('with channels first is never turned', () => {
    const first = { data_format: 'channels_first' };
    const model = convert(
      sequential(
        input('image', 3, 8, 8),
        conv('a', 4, undefined, first),
        layer('MaxPooling2D', 'pool', first),
        layer('GlobalMaxPooling2D', 'max', first),
      ),
      convWeights('a', 3, 4),
    );
    expect(count(model, 'Transpose')).toBe(0);
    expect(model.graph.inputs[0]!.dims).toEqual(['N', 3, 8, 8]);
  });
});

describe('names', () => {
  const block = {
    class_name: 'Sequential',
    name: 'block',
    config: { name: 'block', layers: [conv('inner', 3)] },
    inbound_nodes: [[['a', 0, 0, {}]], [['block', 1, 0, {}]]],
  };
  const model = convert(
    functional(
      [
        input('left', 6, 6, 3),
        input('right', 6, 6, 3),
        { ...conv('a', 3), inbound_nodes: [[['left', 0, 0, {}]], [['right', 0, 0, {}]]] },
        block,
        layer('Flatten', 'one', {}, ['a']),
        { ...layer('Flatten', 'two'), inbound_nodes: [[['block', 2, 0, {}]]] },
        { ...layer('Flatten', 'three'), inbound_nodes: [[['a', 1, 0, {}]]] },
      ],
      ['one', 'two', 'three'],
    ),
    [...convWeights('a', 3, 3), ...convWeights('inner', 3, 3)],
  );

  it('of inputs and outputs are those of their layers', () => {
    expect(model.graph.inputs.map((value) => value.name)).toEqual(['left', 'right']);
    expect(model.graph.outputs.map((value) => value.name)).toEqual(['one', 'two', 'three']);
  });

  it('of weights are those of layer and weight, once for a layer that is called twice', () => {
    const names = [...model.graph.initializers.keys()].filter((name) => /kernel|bias/.test(name));
    expect(names).toEqual(['a/kernel', 'a/bias', 'block/inner/kernel', 'block/inner/bias']);
    expect(count(model, 'Conv')).toBe(4);
  });

  it('of nodes tell the layer', () => {
    expect(model.graph.nodes.find((node) => node.op === 'Conv')!.name).toMatch(/^a\/Conv/);
  });
});

async function run(model: Model, values: readonly number[], dims: readonly number[]): Promise<number[]> {
  const session = await nodeRuntime.open(model, { provider: 'cpu' });
  try {
    const { inputs, outputs } = model.graph;
    const results = await session.run({ [inputs[0]!.name]: float32(dims, values) });
    return [...(results[outputs[0]!.name]!.data as Float32Array)];
  } finally {
    await session.release();
  }
}

it('hard_sigmoid is that of the version that wrote the file', async () => {
  const net = sequential(input('x', 3), layer('Activation', 'y', { activation: 'hard_sigmoid' }));
  const values = [-1, 0, 2];
  const [two, three] = [
    await run(convert(net), values, [1, 3]),
    await run(convert({ ...net, keras_version: '3.1.0' }), values, [1, 3]),
  ];
  two.forEach((v, i) => {
    expect(v).toBeCloseTo(0.2 * values[i]! + 0.5, 6);
  });
  three.forEach((v, i) => {
    expect(v).toBeCloseTo(values[i]! / 6 + 0.5, 6);
  });
});

it.each([
  // Corners of pixels: position i / 2.
  ['2.2.4', [1, 1.5, 2, 2]],
  // Centres of pixels: position i / 2 − 1 / 4.
  ['2.2.4-tf', [1, 1.25, 1.75, 2]],
  ['3.0.0', [1, 1.25, 1.75, 2]],
])(
  'bilinear upsampling of Keras %s takes the pixels that TensorFlow took then',
  async (version, expected) => {
    const up = layer('UpSampling2D', 'y', { size: [1, 2], interpolation: 'bilinear' });
    const model = convert({ ...sequential(input('x', 1, 2, 1), up), keras_version: version });
    expect(await run(model, [1, 2], [1, 1, 2, 1])).toEqual(expected);
  },
);

it('a flattening of channels first puts the channels last, unless the file is older than that', async () => {
  const values = [1, 2, 3, 4];
  const flat = (config: Json) => convert(sequential(input('x', 2, 1, 2), layer('Flatten', 'y', config)));
  expect(await run(flat({ data_format: 'channels_first' }), values, [1, 2, 1, 2])).toEqual([1, 3, 2, 4]);
  expect(await run(flat({}), values, [1, 2, 1, 2])).toEqual(values);
});

it('the example of an architecture for a file of weights is whole', () => {
  const json = JSON.parse(
    readFileSync(new URL('../fixtures/keras/deepid.json', import.meta.url), 'utf8'),
  ) as Json;
  const dense = (name: string, ...dims: [number, number]) => [
    array(`${name}/kernel`, dims),
    array(`${name}/bias`, dims.slice(1)),
  ];
  const kernel = (name: string, size: number, channels: number, filters: number) => [
    array(`${name}/kernel`, [size, size, channels, filters]),
    array(`${name}/bias`, [filters]),
  ];
  const model = convert(json, [
    ...kernel('conv_1', 4, 3, 20),
    ...kernel('conv_2', 3, 20, 40),
    ...kernel('conv_3', 3, 40, 60),
    ...kernel('conv_4', 2, 60, 80),
    ...dense('fc_1', 1200, 160),
    ...dense('fc_2', 960, 160),
    ...dense('output', 160, 1283),
  ]);
  expect(model.graph.inputs[0]!.dims).toEqual(['N', 55, 47, 3]);
  expect(model.graph.outputs).toEqual([{ name: 'output', dtype: 'float32', dims: ['N', 1283] }]);
});

it('layers that act in training only leave no node', () => {
  const names = [
    'Dropout',
    'SpatialDropout2D',
    'GaussianNoise',
    'GaussianDropout',
    'AlphaDropout',
    'RandomFlip',
    'RandomRotation',
    'RandomZoom',
    'RandomTranslation',
    'RandomContrast',
    'RandomBrightness',
    'ActivityRegularization',
  ];
  const model = convert(sequential(input('x', 4, 4, 3), ...names.map((name) => layer(name, name))));
  expect(model.graph.nodes.map((node) => node.op)).toEqual(['Identity']);
});

it('zeros that pad are values of their own to the pooling behind', async () => {
  const net = (pool: string) =>
    convert(
      sequential(
        input('x', 1, 1, 1),
        layer('ZeroPadding2D', 'pad', { padding: [0, 1] }),
        layer(pool, 'pool', { pool_size: [1, 3] }),
      ),
    );
  expect(await run(net('MaxPooling2D'), [-3], [1, 1, 1, 1])).toEqual([0]);
  expect(await run(net('AveragePooling2D'), [-3], [1, 1, 1, 1])).toEqual([-1]);
});

it('a batch that the file fixes is free', () => {
  const model = convert(
    sequential(layer('Flatten', 'flat', { batch_input_shape: [32, 2, 2, 3] }), layer('ReLU', 'y')),
  );
  expect(model.graph.inputs).toEqual([{ name: 'flat_input', dtype: 'float32', dims: ['N', 2, 2, 3] }]);
  expect(sizeOf(model.graph.outputs[0]!.dims!.slice(1) as number[])).toBe(12);
});
