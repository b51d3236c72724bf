import { describe, expect, it } from 'vitest';
import { parseArchitecture } from '../../src/keras/architecture.ts';
import type { StoredArray, WeightStore } from '../../src/keras/weights.ts';
import { weightsFromGroups } from '../../src/keras/weights-groups.ts';
import { weightsFromPaths } from '../../src/keras/weights-paths.ts';
import { codeOf } from '../data/support.ts';
import { array, input, type Json, layer, sequential, storeOf } from './support.ts';

const conv = (name: string, config: Json = {}): Json =>
  layer('Conv2D', name, { filters: 2, kernel_size: [2, 2], ...config });
const norm = (name: string, config: Json = {}): Json => layer('BatchNormalization', name, config);

/** Names of the arrays that each layer gets, by the name of the layer. */
function taken(
  json: Json,
  read: (model: ReturnType<typeof parseArchitecture>['model']) => ReturnType<typeof weightsFromGroups>,
) {
  const { model } = parseArchitecture(JSON.stringify(json));
  return Object.fromEntries(
    [...read(model)]
      .filter(([, arrays]) => arrays.length > 0)
      .map(([{ name }, arrays]) => [name, arrays.map((a) => a.name)]),
  );
}

/** A file with one group for each layer and its arrays. */
function grouped(
  groups: Readonly<Record<string, readonly string[]>>,
  attributes: Record<string, readonly string[]> = {},
): WeightStore {
  return storeOf(
    {
      '': { layer_names: Object.keys(groups), ...attributes },
      ...Object.fromEntries(Object.entries(groups).map(([group, names]) => [group, { weight_names: names }])),
    },
    Object.entries(groups).flatMap(([group, names]) =>
      names.map((name) => array(`${group}/${name}`, [2, 2, 3, 2])),
    ),
  );
}

describe('weights in groups', () => {
  const two = sequential(input('x', 4, 4, 3), conv('a'), conv('b'));

  it('are found by the names of the layers', () => {
    const store = grouped({ b: ['b/k', 'b/b'], a: ['a/k', 'a/b'] });
    expect(taken(two, (model) => weightsFromGroups(store, '', model))).toEqual({
      a: ['a/a/k', 'a/a/b'],
      b: ['b/b/k', 'b/b/b'],
    });
  });

  it('are found by order where names differ', () => {
    const store = grouped({ first: ['k', 'b'], flat: [], second: ['k', 'b'] });
    expect(taken(two, (model) => weightsFromGroups(store, '', model))).toEqual({
      a: ['first/k', 'first/b'],
      b: ['second/k', 'second/b'],
    });
  });

  it('are listed in parts where the list is long', () => {
    const whole = grouped({ a: ['k', 'b'], b: ['k', 'b'] });
    const split: WeightStore = {
      array: (path) => whole.array(path),
      attribute(path, name) {
        const part = /^(layer_names)([01])$/.exec(name);
        if (part) return whole.attribute(path, part[1]!)?.slice(Number(part[2]), Number(part[2]) + 1);
        return name === 'layer_names' ? undefined : whole.attribute(path, name);
      },
    };
    expect(taken(two, (model) => weightsFromGroups(split, '', model))).toEqual({
      a: ['a/k', 'a/b'],
      b: ['b/k', 'b/b'],
    });
  });

  it.each([
    ['too few', { a: ['k'], b: ['k', 'b'] }],
    ['too many', { a: ['k', 'b', 'more'], b: ['k', 'b'] }],
    ['other layers', { other: ['k', 'b'] }],
  ])('%s are refused', async (_, groups) => {
    expect(await codeOf(() => taken(two, (model) => weightsFromGroups(grouped(groups), '', model)))).toBe(
      'KERAS_WEIGHTS_MISMATCH',
    );
  });

  it('that are listed but absent are refused', async () => {
    const store = storeOf({ '': { layer_names: ['a', 'b'] }, a: { weight_names: ['k', 'b'] } }, []);
    expect(await codeOf(() => taken(two, (model) => weightsFromGroups(store, '', model)))).toBe(
      'KERAS_WEIGHTS_MISMATCH',
    );
  });

  // As Keras orders `model.weights`: trained ones of all layers, then the others.
  const block = (config: Json, ...layers: readonly Json[]): Json =>
    sequential(input('x', 4, 4, 3), {
      class_name: 'Sequential',
      name: 'block',
      config: { name: 'block', layers, ...config },
    });
  const places = ['0', '1', '2', '3', '4', '5', '6', '7'];

  it.each([
    ['trained', {}, {}, { a: ['0', '1'], n: ['2', '3', '6', '7'], b: ['4', '5'] }],
    [
      'with a frozen layer',
      {},
      { trainable: false },
      { a: ['4', '5'], n: ['0', '1', '6', '7'], b: ['2', '3'] },
    ],
    [
      'frozen as a whole',
      { trainable: false },
      {},
      { a: ['0', '1'], n: ['2', '3', '6', '7'], b: ['4', '5'] },
    ],
  ])('of a nested model that is %s are listed trained ones first', (_, whole, first, expected) => {
    const net = block(whole, conv('a', first), norm('n'), conv('b'));
    const found = taken(net, (model) => weightsFromGroups(grouped({ block: places }), '', model));
    const short = Object.fromEntries(
      Object.entries(found).map(([name, own]) => [name, own.map((n) => n.slice('block/'.length))]),
    );
    expect(short).toEqual(expected);
  });

  it('of Theano have their kernels turned around', () => {
    const read = (backend: string): number[] => {
      const { model } = parseArchitecture(
        JSON.stringify(sequential(input('x', 4, 4, 1), conv('a', { filters: 1 }))),
      );
      const kernel: StoredArray = array('a/k', [2, 2, 1, 1]);
      const store = storeOf(
        { '': { layer_names: ['a'], backend: [backend] }, a: { weight_names: ['k', 'b'] } },
        [kernel, array('a/b', [1])],
      );
      return [...[...weightsFromGroups(store, '', model).values()][0]![0]!.read().data];
    };
    expect(read('theano')).toEqual([4, 3, 2, 1]);
    expect(read('tensorflow')).toEqual([1, 2, 3, 4]);
  });
});

describe('weights by path', () => {
  it('are numbered by class, in nested models anew', () => {
    const net = sequential(
      input('x', 4, 4, 3),
      conv('a'),
      {
        class_name: 'Sequential',
        name: 'block',
        config: { name: 'block', layers: [conv('b'), layer('DepthwiseConv2D', 'd', { kernel_size: 2 })] },
      },
      conv('c'),
      layer('PReLU', 'p'),
    );
    const paths = [
      'layers/conv2d',
      'layers/sequential/layers/conv2d',
      'layers/sequential/layers/depthwise_conv2d',
      'layers/conv2d_1',
    ];
    const arrays = [
      ...paths.flatMap((path) => [`${path}/vars/0`, `${path}/vars/1`]),
      'layers/p_re_lu/vars/0',
    ];
    const store = storeOf(
      {},
      arrays.map((name) => array(name, [1])),
    );
    expect(Object.values(taken(net, (model) => weightsFromPaths(store, model))).flat()).toEqual(arrays);
  });

  it('that are missing are refused', async () => {
    const store = storeOf({}, [array('layers/conv2d/vars/0', [1])]);
    const net = sequential(input('x', 4, 4, 3), conv('a'));
    expect(await codeOf(() => taken(net, (model) => weightsFromPaths(store, model)))).toBe(
      'KERAS_WEIGHTS_MISMATCH',
    );
  });
});
