import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NeuralCleanseError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float, floats, int, ints, string } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, int64, type Tensor } from '../../src/onnx/tensor.ts';
import { raiseOpset } from '../../src/passes/upgrade.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';
import { largestDifference, modelOf, type OldNode, oldModel, runModel } from './models.ts';

/** Runs a node in its old form and raised; returns the largest difference of the outputs. */
async function raised(node: OldNode): Promise<number> {
  const old = oldModel(node);
  const model = raiseOpset(old);
  expect(model.opsets.get('')).toBe(21);
  const feeds = { x: node.inputs[0]! };
  return largestDifference(await runModel(old, feeds), await runModel(model, feeds));
}

const random = generator(7);
const tensor = (...dims: number[]): Tensor<'float32'> => randomTensor(random, dims, -2, 2);
const positive = (...dims: number[]): Tensor<'float32'> => randomTensor(random, dims, 0.5, 2);
const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
const subset = (rank: number) => fc.subarray(Array.from({ length: rank }, (_, i) => i));

describe('properties over attributes', () => {
  const check = <T>(arbitrary: fc.Arbitrary<T>, node: (value: T) => OldNode, numRuns = 15): Promise<void> =>
    fc.assert(
      fc.asyncProperty(arbitrary, async (value) => {
        expect(await raised(node(value))).toBeLessThanOrEqual(1e-6);
      }),
      { seed: 42, numRuns },
    );
  const shapeAndAxes = shapes.chain((dims) => fc.tuple(fc.constant(dims), subset(dims.length)));
  const shapeAndAxis = shapes.chain((dims) =>
    fc.tuple(fc.constant(dims), fc.integer({ min: 0, max: dims.length - 1 })),
  );

  test.each(['Softmax', 'LogSoftmax', 'Hardmax'])('%s normalises the rows of a matrix', (op) =>
    check(
      fc.tuple(shapeAndAxis, fc.constantFrom(7, 9, 11, 12), fc.boolean()),
      ([[dims, axis], version, fromEnd]) => ({
        op,
        version,
        inputs: [tensor(...dims)],
        attributes: { axis: int(fromEnd && version >= 11 ? axis - dims.length : axis) },
      }),
    ),
  );

  test.each([
    ['ReduceSum', [7, 11, 12]],
    ['ReduceMean', [7, 11, 13, 17]],
    ['ReduceMax', [7, 12, 17]],
    ['ReduceMin', [11, 13]],
    ['ReduceProd', [11, 13]],
    ['ReduceL1', [9, 13]],
    ['ReduceL2', [9, 13]],
    ['ReduceLogSum', [11, 13]],
    ['ReduceLogSumExp', [11, 13]],
    ['ReduceSumSquare', [9, 17]],
  ] as const)('%s takes axes', (op, versions) =>
    check(
      fc.tuple(shapeAndAxes, fc.constantFrom(...versions), fc.constantFrom(0, 1)),
      ([[dims, axes], version, keepdims]) => ({
        op,
        version,
        inputs: [positive(...dims)],
        attributes: { keepdims: int(keepdims), ...(axes.length > 0 ? { axes: ints(axes) } : {}) },
      }),
      10,
    ),
  );

  test('Slice takes bounds, open ends included', () =>
    check(
      shapeAndAxes.chain(([dims, axes]) =>
        fc.tuple(
          fc.constant(dims),
          fc.constant(axes.length > 0 ? axes : [0]),
          fc.array(
            fc.tuple(fc.integer({ min: -3, max: 2 }), fc.constantFrom(2, 5, -1, 2 ** 31 - 1, 2 ** 63)),
            {
              minLength: 4,
              maxLength: 4,
            },
          ),
        ),
      ),
      ([dims, axes, bounds]) => ({
        op: 'Slice',
        version: 9,
        inputs: [tensor(...dims)],
        attributes: {
          axes: ints(axes),
          starts: ints(axes.map((_, i) => bounds[i]![0])),
          ends: ints(axes.map((_, i) => bounds[i]![1])),
        },
      }),
    ));

  test('Pad takes pads and value', () =>
    check(
      shapes.chain((dims) =>
        fc.tuple(
          fc.constant(dims),
          fc.array(fc.integer({ min: 0, max: 2 }), {
            minLength: 2 * dims.length,
            maxLength: 2 * dims.length,
          }),
          fc.constantFrom('constant', 'edge'),
          fc.option(fc.constantFrom(0.5, -3)),
        ),
      ),
      ([dims, pads, mode, value]) => ({
        op: 'Pad',
        version: 10,
        inputs: [tensor(...dims)],
        attributes: {
          pads: ints(pads),
          mode: string(mode),
          ...(value === null ? {} : { value: float(value) }),
        },
      }),
    ));

  test('Squeeze and Unsqueeze take axes', async () => {
    await check(shapeAndAxes, ([dims, axes]) => ({
      op: 'Squeeze',
      version: 11,
      inputs: [tensor(...dims.map((d, i) => (axes.includes(i) ? 1 : d + 1)))],
      attributes: axes.length > 0 ? { axes: ints(axes) } : {},
    }));
    await check(shapeAndAxes, ([dims, axes]) => ({
      op: 'Unsqueeze',
      version: 9,
      inputs: [tensor(...dims)],
      attributes: { axes: ints(axes.length > 0 ? axes : [0]) },
    }));
  });

  test('Split takes sizes or a number of parts', () =>
    check(
      fc.tuple(
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
        fc.constantFrom(7, 11, 12, 13, 17),
        fc.boolean(),
      ),
      ([sizes, version, even]) => {
        const parts = even ? sizes.map(() => 2) : sizes;
        const total = parts.reduce((a, s) => a + s, 0);
        const axis = { axis: int(1) };
        const asInput = version >= 13 && !even ? [int64([parts.length], parts)] : [];
        return {
          op: 'Split',
          version,
          inputs: [tensor(2, total, 3), ...asInput],
          outputs: parts.length,
          attributes: version < 13 && !even ? { ...axis, split: ints(parts) } : axis,
        };
      },
    ));

  test('Upsample enlarges by floor and linearly', () =>
    check(
      fc.tuple(
        fc.constantFrom('nearest', 'linear'),
        fc.constantFrom(7, 9),
        fc.constantFrom(1, 1.5, 2, 2.7),
        fc.constantFrom(1, 2, 3.3),
      ),
      ([mode, version, sy, sx]) => {
        const scales = [1, 1, sy, sx];
        return {
          op: 'Upsample',
          version,
          inputs: version === 7 ? [tensor(1, 2, 4, 5)] : [tensor(1, 2, 4, 5), float32([4], scales)],
          attributes: { mode: string(mode), ...(version === 7 ? { scales: floats(scales) } : {}) },
        };
      },
    ));

  test('Resize 10 enlarges by floor, shrinks by ceiling, and does both', () =>
    check(
      fc.tuple(
        fc.constantFrom('nearest', 'linear'),
        fc.constantFrom(0.4, 0.6, 1, 2, 2.7),
        fc.constantFrom(0.5, 0.75, 1, 1.5, 3),
      ),
      ([mode, sy, sx]) => ({
        op: 'Resize',
        version: 10,
        inputs: [tensor(1, 2, 7, 5), float32([4], [1, 1, sy, sx])],
        attributes: { mode: string(mode) },
      }),
      25,
    ));

  test('Resize 11 to 18 keep their modes', () =>
    check(
      fc.tuple(
        fc.constantFrom(11, 13, 18, 19),
        fc.constantFrom('nearest', 'linear', 'cubic'),
        fc.constantFrom('half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel'),
        fc.constantFrom('floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'),
        fc.boolean(),
      ),
      ([version, mode, coordinates, nearest, bySize]) => {
        const none = version < 13 ? float32([0], []) : null;
        return {
          op: 'Resize',
          version,
          inputs: bySize
            ? [tensor(1, 2, 4, 6), none, none, int64([4], [1, 2, 7, 3])]
            : [tensor(1, 2, 4, 6), none, float32([4], [1, 1, 2.5, 0.5])],
          attributes: {
            mode: string(mode),
            coordinate_transformation_mode: string(coordinates),
            nearest_mode: string(nearest),
          },
        };
      },
      25,
    ));

  test('pooling with ceil_mode and padding agrees across versions', () =>
    check(
      fc.tuple(
        fc.constantFrom('MaxPool', 'AveragePool'),
        fc.constantFrom(10, 11, 17),
        fc.constantFrom(0, 1),
        fc.constantFrom(0, 1),
        fc.integer({ min: 1, max: 3 }),
      ),
      ([op, version, ceil, include, stride]) => ({
        op,
        version,
        inputs: [tensor(1, 2, 7, 6)],
        attributes: {
          kernel_shape: ints([3, 3]),
          strides: ints([stride, stride]),
          pads: ints([1, 0, 1, 1]),
          ceil_mode: int(ceil),
          ...(op === 'AveragePool' ? { count_include_pad: int(include) } : {}),
        },
      }),
      25,
    ));
});

describe('single forms', () => {
  const cases: Record<string, OldNode> = {
    'Clip without bounds': { op: 'Clip', version: 7, inputs: [tensor(3, 4)] },
    'Clip with an upper bound': {
      op: 'Clip',
      version: 9,
      inputs: [tensor(3, 4)],
      attributes: { max: float(0.3) },
    },
    'Clip with both': {
      op: 'Clip',
      version: 10,
      inputs: [tensor(3, 4)],
      attributes: { min: float(0), max: float(0.5) },
    },
    'Dropout 7': { op: 'Dropout', version: 7, inputs: [tensor(3, 4)], attributes: { ratio: float(0.3) } },
    'Dropout 10': { op: 'Dropout', version: 11, inputs: [tensor(3, 4)] },
    'BatchNormalization 7 with spatial': {
      op: 'BatchNormalization',
      version: 7,
      inputs: [tensor(2, 3, 4, 4), tensor(3), tensor(3), tensor(3), positive(3)],
      attributes: { spatial: int(1), epsilon: float(1e-3), momentum: float(0.8) },
    },
    'BatchNormalization 9': {
      op: 'BatchNormalization',
      version: 13,
      inputs: [tensor(2, 3, 4), tensor(3), tensor(3), tensor(3), positive(3)],
    },
    'TopK 1': { op: 'TopK', version: 9, inputs: [tensor(3, 6)], outputs: 2, attributes: { k: int(4) } },
    Scatter: {
      op: 'Scatter',
      version: 9,
      inputs: [tensor(3, 3), int64([1, 3], [2, 0, 1]), tensor(1, 3)],
      attributes: { axis: int(0) },
    },
    'GroupNormalization 18': {
      op: 'GroupNormalization',
      version: 18,
      inputs: [tensor(2, 6, 3, 3), tensor(3), tensor(3)],
      attributes: { num_groups: int(3), epsilon: float(1e-3) },
    },
    'GridSample 16': {
      op: 'GridSample',
      version: 16,
      inputs: [tensor(1, 2, 4, 4), randomTensor(random, [1, 3, 3, 2])],
      attributes: { mode: string('bilinear') },
    },
    'DFT 17': { op: 'DFT', version: 17, inputs: [tensor(1, 8, 1)], attributes: { axis: int(1) } },
    'QuantizeLinear 10': {
      op: 'QuantizeLinear',
      version: 10,
      inputs: [tensor(3, 4), float32([], [0.02]), { dtype: 'uint8', dims: [], data: Uint8Array.of(128) }],
    },
    'QuantizeLinear 13 by axis': {
      op: 'QuantizeLinear',
      version: 13,
      inputs: [
        tensor(3, 2),
        float32([2], [0.02, 0.1]),
        { dtype: 'int8', dims: [2], data: Int8Array.of(0, 3) },
      ],
      attributes: { axis: int(1) },
    },
    'ArgMax 7': {
      op: 'ArgMax',
      version: 7,
      inputs: [tensor(3, 5)],
      attributes: { axis: int(1), keepdims: int(0) },
    },
    'PRelu 7': { op: 'PRelu', version: 7, inputs: [tensor(2, 3, 4), tensor(3, 1)] },
    'Gemm 7': { op: 'Gemm', version: 7, inputs: [tensor(2, 3), tensor(3, 4), tensor(4)] },
    'LRN 7': { op: 'LRN', version: 7, inputs: [tensor(1, 4, 3, 3)], attributes: { size: int(3) } },
    'Reshape 7': { op: 'Reshape', version: 7, inputs: [tensor(2, 3, 4), int64([2], [0, -1])] },
    'Flatten 7': { op: 'Flatten', version: 7, inputs: [tensor(2, 3, 4)], attributes: { axis: int(2) } },
    'OneHot 9': {
      op: 'OneHot',
      version: 9,
      inputs: [int64([3], [1, 0, 3]), int64([], [4]), float32([2], [0, 1])],
      attributes: { axis: int(0) },
    },
    'Cast 9': { op: 'Cast', version: 9, inputs: [tensor(3)], attributes: { to: int(7) } },
    'Gather 7': {
      op: 'Gather',
      version: 7,
      inputs: [tensor(3, 4), int64([2], [1, 0])],
      attributes: { axis: int(1) },
    },
    'DepthToSpace 7': {
      op: 'DepthToSpace',
      version: 7,
      inputs: [tensor(1, 8, 2, 2)],
      attributes: { blocksize: int(2) },
    },
    'ConvTranspose 7': {
      op: 'ConvTranspose',
      version: 7,
      inputs: [tensor(1, 2, 4, 4), tensor(2, 3, 3, 3)],
      attributes: { strides: ints([2, 2]), output_padding: ints([1, 1]) },
    },
    'MaxPool 8 with auto_pad': {
      op: 'MaxPool',
      version: 8,
      inputs: [tensor(1, 2, 5, 5)],
      attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]), auto_pad: string('SAME_UPPER') },
    },
    'AveragePool 7': {
      op: 'AveragePool',
      version: 7,
      inputs: [tensor(1, 2, 5, 5)],
      attributes: { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) },
    },
    'InstanceNormalization 7': {
      op: 'InstanceNormalization',
      version: 7,
      inputs: [tensor(2, 3, 4), tensor(3), tensor(3)],
    },
    'Max 8': { op: 'Max', version: 8, inputs: [tensor(3, 4), tensor(4)] },
    'Pow 7': { op: 'Pow', version: 7, inputs: [positive(3, 4), tensor(4)] },
    'CumSum 11': {
      op: 'CumSum',
      version: 11,
      inputs: [tensor(3, 4), { dtype: 'int32', dims: [], data: Int32Array.of(1) }],
    },
    'GatherND 11': { op: 'GatherND', version: 11, inputs: [tensor(3, 4), int64([2, 2], [0, 1, 2, 3])] },
    'LayerNormalization of optimised models': {
      op: 'LayerNormalization',
      version: 12,
      inputs: [tensor(2, 3, 4), tensor(4), tensor(4)],
    },
    Gelu: { op: 'Gelu', domain: 'com.microsoft', version: 13, inputs: [tensor(3, 4)] },
    BiasGelu: { op: 'BiasGelu', domain: 'com.microsoft', version: 13, inputs: [tensor(3, 4), tensor(4)] },
    FastGelu: { op: 'FastGelu', domain: 'com.microsoft', version: 13, inputs: [tensor(3, 4), tensor(4)] },
    QuickGelu: { op: 'QuickGelu', domain: 'com.microsoft', version: 13, inputs: [tensor(3, 4)] },
    'FusedConv with LeakyRelu': {
      op: 'FusedConv',
      domain: 'com.microsoft',
      version: 13,
      inputs: [tensor(1, 2, 5, 5), tensor(3, 2, 3, 3), tensor(3)],
      attributes: {
        pads: ints([1, 1, 1, 1]),
        activation: string('LeakyRelu'),
        activation_params: floats([0.2]),
      },
    },
    'FusedConv with a sum and Relu': {
      op: 'FusedConv',
      domain: 'com.microsoft',
      version: 13,
      inputs: [tensor(1, 2, 5, 5), tensor(3, 2, 3, 3), tensor(3), tensor(1, 3, 3, 3)],
      attributes: { activation: string('Relu') },
    },
    'FusedConv with Clip': {
      op: 'FusedConv',
      domain: 'com.microsoft',
      version: 9,
      inputs: [tensor(1, 2, 5, 5), tensor(3, 2, 3, 3)],
      attributes: { activation: string('Clip'), activation_params: floats([-1, 1.5]) },
    },
    FusedGemm: {
      op: 'FusedGemm',
      domain: 'com.microsoft',
      version: 13,
      inputs: [tensor(2, 3), tensor(4, 3), tensor(4)],
      attributes: { transB: int(1), activation: string('LeakyRelu'), activation_alpha: float(0.3) },
    },
    'FusedMatMul transposed': {
      op: 'FusedMatMul',
      domain: 'com.microsoft',
      version: 13,
      inputs: [tensor(2, 3, 4), tensor(2, 5, 3)],
      attributes: { transA: int(1), transB: int(1), alpha: float(0.5) },
    },
    'FusedMatMul plain': {
      op: 'FusedMatMul',
      domain: 'com.microsoft',
      version: 13,
      inputs: [tensor(2, 4, 3), tensor(3, 5)],
      attributes: { alpha: float(2) },
    },
  };

  test.each(Object.entries(cases))('%s', async (_, node) => {
    expect(await raised(node)).toBeLessThanOrEqual(2e-6);
  });

  test('Resize 11 with tf_half_pixel_for_nn becomes half_pixel with rounding', async () => {
    const node: OldNode = {
      op: 'Resize',
      version: 11,
      inputs: [tensor(1, 1, 5, 4), float32([0], []), float32([4], [1, 1, 2, 0.5])],
      attributes: {
        coordinate_transformation_mode: string('tf_half_pixel_for_nn'),
        nearest_mode: string('floor'),
      },
    };
    expect(await raised(node)).toBe(0);
    const [resize] = raiseOpset(oldModel(node)).graph.nodes;
    expect(resize?.attributes.coordinate_transformation_mode?.value).toBe('half_pixel');
  });

  test('a mask of Dropout that nothing reads is dropped', async () => {
    const b = new GraphBuilder();
    b.input('x', 'float32', [3]);
    const [y] = b.ops('Dropout', ['x'], 2, { ratio: float(0.4) }, { outputs: ['y', 'mask'] });
    b.output(y!, 'float32', [3]);
    const old = modelOf(b.build(), 8);
    const model = raiseOpset(old);
    const x = float32([3], [1, -2, 3]);
    expect(largestDifference(await runModel(old, { x }), await runModel(model, { x }))).toBe(0);
    expect(model.graph.nodes[0]?.outputs).toEqual(['y']);
  });

  test('no com.microsoft node is left where a standard form exists', () => {
    for (const node of Object.values(cases)) {
      const { graph } = raiseOpset(oldModel(node));
      expect(graph.nodes.map((n) => n.domain)).toEqual(graph.nodes.map(() => ''));
    }
  });
});

describe('whole models', () => {
  test('a softmax head keeps its form where the rank is known', () => {
    const b = new GraphBuilder();
    b.input('x', 'float32', ['N', 3]);
    b.initializer('w', tensor(3, 4));
    b.output(b.op('Softmax', [b.op('Gemm', ['x', 'w', b.scalar(0)])], { axis: int(1) }), 'float32', ['N', 4]);
    expect(raiseOpset(modelOf(b.build(), 9)).graph.nodes.map((n) => n.op)).toEqual(['Gemm', 'Softmax']);
  });

  test('branches of an If are raised too', async () => {
    const branch = (op: string) => {
      const inner = new GraphBuilder(undefined, `${op}/`);
      const y = inner.op(op, ['x'], { axes: ints([0]), keepdims: int(0) });
      inner.output(y, 'float32', [4]);
      return { type: 'graph' as const, value: inner.build() };
    };
    const b = new GraphBuilder();
    b.input('x', 'float32', [3, 4]);
    const condition = b.op('Greater', [b.op('ReduceSum', ['x'], { keepdims: int(0) }), b.scalar(0)]);
    b.op(
      'If',
      [condition],
      { then_branch: branch('ReduceMax'), else_branch: branch('ReduceMin') },
      { outputs: ['y'] },
    );
    const old = modelOf({ ...b.build(), outputs: [{ name: 'y', dtype: 'float32', dims: [4] }] }, 11);
    const model = raiseOpset(old);
    for (const sign of [1, -1]) {
      const x = float32(
        [3, 4],
        Array.from({ length: 12 }, (_, i) => sign * (i + 1)),
      );
      expect(largestDifference(await runModel(old, { x }), await runModel(model, { x }))).toBe(0);
    }
  });

  test('opset 21 and newer are returned as they are, under their own version', () => {
    const b = new GraphBuilder();
    b.input('x', 'float32', [1, 2]);
    b.output(b.op('Softmax', ['x']), 'float32', [1, 2]);
    const model = { ...canonicalModel(b.build()), opsets: new Map([['', 23]]) };
    expect(raiseOpset(model)).toEqual(model);
    expect(raiseOpset(model).opsets.get('')).toBe(23);
  });

  test('operators of unknown domains are left alone', () => {
    const node: OldNode = { op: 'Mystery', domain: 'com.example', version: 11, inputs: [tensor(2)] };
    expect(raiseOpset(oldModel(node)).graph.nodes[0]).toMatchObject({ op: 'Mystery', domain: 'com.example' });
  });
});

describe('refusals', () => {
  const refusal = (act: () => unknown): NeuralCleanseError => {
    try {
      act();
    } catch (error) {
      return error as NeuralCleanseError;
    }
    throw new Error('nothing was refused');
  };

  test.each([6, 24])('operator set %i', (version) => {
    const error = refusal(() => raiseOpset(oldModel({ op: 'Relu', version, inputs: [tensor(2)] })));
    expect(error.code).toBe('OPSET_UNSUPPORTED');
    expect(error.message).toContain(`operator set ${version}`);
  });

  test.each<[string, OldNode]>([
    [
      'spatial is 0',
      {
        op: 'BatchNormalization',
        version: 7,
        inputs: [tensor(1, 3), tensor(3), tensor(3), tensor(3), positive(3)],
        attributes: { spatial: int(0) },
      },
    ],
    [
      'training mode',
      {
        op: 'BatchNormalization',
        version: 9,
        inputs: [tensor(1, 3), tensor(3), tensor(3), tensor(3), positive(3)],
        outputs: 5,
      },
    ],
    ['mask is used', { op: 'Dropout', version: 10, inputs: [tensor(2)], outputs: 2 }],
    ['opset 8', { op: 'Scan', version: 8, inputs: [tensor(2)] }],
  ])('%s', (why, node) => {
    const error = refusal(() => raiseOpset(oldModel(node)));
    expect(error.code).toBe('ATTRIBUTE_UNSUPPORTED');
    expect(error.op).toBe(node.op);
    expect(error.message).toContain(why);
  });

  test('an attribute of the wrong type', () => {
    const node: OldNode = {
      op: 'ReduceMax',
      version: 11,
      inputs: [tensor(2)],
      attributes: { axes: float(1) },
    };
    expect(refusal(() => raiseOpset(oldModel(node))).code).toBe('MODEL_INVALID');
  });
});
