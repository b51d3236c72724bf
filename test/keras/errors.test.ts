import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { codeOf } from '../data/support.ts';
import { array, convert, functional, input, type Json, layer, sequential } from './support.ts';

const image = input('x', 8, 8, 3);
const flat = layer('Flatten', 'flat');
const dense = layer('Dense', 'dense', { units: 4 });
const calls = (name: string, ...sources: readonly string[]): Json => layer('ReLU', name, {}, sources);

/** Models in models, `depth` deep. */
const nested = (depth: number, inner: Json): Json =>
  depth === 0
    ? inner
    : {
        class_name: 'Sequential',
        name: `m${depth}`,
        config: { name: `m${depth}`, layers: [nested(depth - 1, inner)] },
      };

/** Each model calls the one inside twice, so the innermost layer is called 2^depth times. */
function doubling(depth: number): Json {
  if (depth === 0) return layer('ReLU', 'relu');
  const inner = doubling(depth - 1);
  const name = String(inner.name);
  return {
    class_name: 'Functional',
    name: `m${depth}`,
    config: {
      name: `m${depth}`,
      layers: [input('i', 3), { ...inner, inbound_nodes: [[['i', 0, 0, {}]], [[name, 0, 0, {}]]] }],
      input_layers: [['i', 0, 0]],
      output_layers: [[name, 1, 0]],
    },
  };
}

const cases: readonly [what: string, code: ErrorCode, json: Json, message: string][] = [
  ['a Lambda', 'KERAS_LAMBDA', sequential(image, layer('Lambda', 'mine')), 'Layer "mine" is a Lambda'],
  [
    'an unknown layer',
    'KERAS_LAYER_UNSUPPORTED',
    sequential(image, layer('LSTM', 'memory')),
    'Layer "memory" is of the class "LSTM"',
  ],
  ['an inherited name', 'KERAS_LAYER_UNSUPPORTED', sequential(image, layer('toString', 'odd')), '"toString"'],
  [
    'a model of Python code',
    'KERAS_LAYER_UNSUPPORTED',
    { class_name: 'MyModel', config: {} },
    'of the class "MyModel"',
  ],
  [
    'an operation that is not known',
    'KERAS_LAYER_UNSUPPORTED',
    functional([image, layer('TFOpLambda', 'tf.fft', { function: 'signal.fft' }, ['x'])], ['tf.fft']),
    'Operation "tf.fft" (signal.fft)',
  ],
  [
    'an activation that is Python code',
    'KERAS_OPTION_UNSUPPORTED',
    sequential(image, flat, layer('Dense', 'dense', { units: 4, activation: 'mine' })),
    'Layer "dense" (Dense) has the activation "mine"',
  ],
  [
    'an interpolation',
    'KERAS_OPTION_UNSUPPORTED',
    sequential(image, layer('UpSampling2D', 'up', { interpolation: 'lanczos3' })),
    '"lanczos3"',
  ],
  [
    'a cycle',
    'KERAS_CONFIG_INVALID',
    functional([image, calls('a', 'b'), calls('b', 'a')], ['b']),
    'depends on itself',
  ],
  [
    'a layer of itself',
    'KERAS_CONFIG_INVALID',
    functional([image, calls('a', 'a')], ['a']),
    'depends on itself',
  ],
  ['a loose end', 'KERAS_CONFIG_INVALID', functional([image, calls('a', 'lost')], ['a']), 'does not exist'],
  ['an output without a layer', 'KERAS_CONFIG_INVALID', functional([image], ['lost']), '"lost"'],
  ['two layers of one name', 'KERAS_CONFIG_INVALID', sequential(image, flat, flat), 'two layers "flat"'],
  ['no layers', 'KERAS_CONFIG_INVALID', sequential(), 'has no layers'],
  ['a list as architecture', 'KERAS_CONFIG_INVALID', [] as unknown as Json, '"class_name"'],
  [
    'a wrong type',
    'KERAS_CONFIG_INVALID',
    sequential(image, flat, layer('Dense', 'dense', { units: 'many' })),
    '"units" is "many", not a whole number from 1',
  ],
  [
    'a stride of 0',
    'KERAS_CONFIG_INVALID',
    sequential(image, layer('MaxPooling2D', 'pool', { strides: [0, 1] })),
    '"strides" is [0,1]',
  ],
  [
    'a window larger than the image',
    'KERAS_CONFIG_INVALID',
    sequential(image, layer('MaxPooling2D', 'pool', { pool_size: [9, 9] })),
    'shape [?, 0, 0, 3]',
  ],
  [
    'a reshape of other size',
    'KERAS_CONFIG_INVALID',
    sequential(image, layer('Reshape', 'shape', { target_shape: [7, -1] })),
    'reshapes [?, 8, 8, 3] to [7,-1]',
  ],
  [
    'an addition of other sizes',
    'KERAS_CONFIG_INVALID',
    functional(
      [image, layer('MaxPooling2D', 'pool', {}, ['x']), layer('Add', 'add', {}, ['x', 'pool'])],
      ['add'],
    ),
    'joins tensors',
  ],
  [
    'a rank that does not fit',
    'KERAS_CONFIG_INVALID',
    sequential(input('x', 8), layer('MaxPooling2D', 'pool')),
    '4 dimensions',
  ],
  [
    'an axis that is not there',
    'KERAS_CONFIG_INVALID',
    sequential(image, layer('Softmax', 's', { axis: 7 })),
    'axis 7',
  ],
  ['deep nesting', 'KERAS_CONFIG_INVALID', sequential(image, nested(40, flat)), 'nested more than 16 deep'],
  ['an input without a shape', 'SHAPE_UNRESOLVED', sequential(flat), 'Input "flat_input" has no shape'],
  ['a huge input', 'MODEL_TOO_LARGE', sequential(input('x', 1e6, 1e6, 3), flat), '[?, 1000000, 1000000, 3]'],
  [
    'huge padding',
    'MODEL_TOO_LARGE',
    sequential(image, layer('ZeroPadding2D', 'pad', { padding: 1e7 })),
    'Layer "pad"',
  ],
  [
    'models that call models that call models',
    'MODEL_TOO_LARGE',
    functional([input('x', 3), { ...doubling(16), inbound_nodes: [[['x', 0, 0, {}]]] }], ['m16']),
    'more than 20000 times',
  ],
];

describe('an architecture is refused', () => {
  it.each(cases)('for %s', async (_, code, json, message) => {
    const weights = [array('dense/kernel', [192, 4]), array('dense/bias', [4])];
    expect(await codeOf(() => convert(json, weights))).toBe(code);
    expect(() => convert(json, weights)).toThrow(message);
  });

  it('that is not JSON', async () => {
    const { parseArchitecture } = await import('../../src/keras/architecture.ts');
    expect(await codeOf(() => parseArchitecture('{"class_name": "Sequential", '))).toBe(
      'KERAS_CONFIG_INVALID',
    );
  });

  it('nested as deep as JSON can be', async () => {
    const deep = `${'['.repeat(1e5)}${']'.repeat(1e5)}`;
    const { parseArchitecture } = await import('../../src/keras/architecture.ts');
    const json = `{"class_name":"Functional","config":{"layers":[{"class_name":"ReLU","name":"r","config":{},"inbound_nodes":[{"args":${deep},"kwargs":{}}]}]}}`;
    expect(await codeOf(() => parseArchitecture(json))).toBe('KERAS_CONFIG_INVALID');
  });
});

describe('weights are refused', () => {
  const net = sequential(image, flat, dense);

  it('of another shape, before they are read', async () => {
    const huge = { ...array('dense/kernel', []), dims: [1e9, 1e9], read: () => expect.fail('was read') };
    expect(() => convert(net, [huge, array('dense/bias', [4])])).toThrow(
      'Layer "dense" (Dense) needs "kernel" of shape [192, 4], but "dense/kernel" has the shape [1000000000, 1000000000]',
    );
  });

  it('that are missing', async () => {
    expect(await codeOf(() => convert(net, [array('dense/kernel', [192, 4])]))).toBe(
      'KERAS_WEIGHTS_MISMATCH',
    );
  });
});
