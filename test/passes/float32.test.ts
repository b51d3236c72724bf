import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { checkGraph } from '../../src/onnx/check.ts';
import { float, int, ints, type Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, int64, type Tensor } from '../../src/onnx/tensor.ts';
import { toFloat32 } from '../../src/passes/float32.ts';
import { raiseOpset } from '../../src/passes/upgrade.ts';
import { modelOf, runModel } from './models.ts';

const float64 = (dims: readonly number[], values: readonly number[]): Tensor<'float64'> => ({
  dtype: 'float64',
  dims,
  data: Float64Array.from(values),
});

/** binary16 and bfloat16 bits of 1, -2, 0.5 and the smallest subnormal or largest value */
const half: Tensor = { dtype: 'float16', dims: [4], data: Uint16Array.of(0x3c00, 0xc000, 0x3800, 0x0001) };
const brain: Tensor = { dtype: 'bfloat16', dims: [4], data: Uint16Array.of(0x3f80, 0xc000, 0x3f00, 0x7f7f) };

test('a float64 model runs in float32 and gives the same up to rounding', async () => {
  const b = new GraphBuilder();
  b.input('x', 'float64', [2, 3]);
  const w = b.initializer('w', float64([3, 2], [1, 0.1, -0.3, 2, 1 / 3, 5]));
  const shifted = b.op('Add', [b.op('MatMul', ['x', w]), b.op('Cast', [b.ints([1, 2])], { to: int(11) })]);
  const filled = b.op('ConstantOfShape', [b.ints([2])], {
    value: { type: 'tensor', value: float64([1], [0.1]) },
  });
  b.output(
    b.op('Mul', [shifted, b.op('CastLike', [b.op('Cast', [filled], { to: int(1) }), 'x'])]),
    'float64',
    [2, 2],
    'y',
  );
  const model = canonicalModel(b.build());
  const single = toFloat32(model);
  checkGraph(single.graph, { pass: 'toFloat32' });
  expect([single.graph.inputs[0]?.dtype, single.graph.outputs[0]?.dtype]).toEqual(['float32', 'float32']);

  const values = [0.5, -1, 2, 0.25, 3, 0.1];
  const before = (await runModel(model, { x: float64([2, 3], values) })).y!;
  const after = (await runModel(single, { x: float32([2, 3], values) })).y!;
  expect(before.dtype).toBe('float64');
  expect(after.dtype).toBe('float32');
  (after.data as Float32Array).forEach((v, i) => {
    expect(v).toBeCloseTo((before.data as Float64Array)[i]!, 6);
  });
});

test('float16 constants, inputs and casts become float32 with the same values', async () => {
  const b = new GraphBuilder();
  b.input('x', 'float16', [4]);
  b.initializer('h', half);
  const rounded = b.op('Cast', [b.op('Cast', ['x'], { to: int(1) })], { to: int(10) });
  b.output(b.op('Add', [rounded, 'h']), 'float16', [4], 'y');
  const { y } = await runModel(toFloat32(canonicalModel(b.build())), { x: float32([4], [1, 1, 1, 1]) });
  expect(Array.from(y!.data as Float32Array)).toEqual([2, -1, 1.5, Math.fround(1 + 2 ** -24)]);
});

test('bfloat16 constants keep their values, and float64 ones beyond float32 stay finite', () => {
  const b = new GraphBuilder();
  b.initializer('brain', brain);
  b.initializer('masks', float64([4], [-1e300, 1e300, Number.NEGATIVE_INFINITY, Number.NaN]));
  const { initializers } = toFloat32(canonicalModel(b.build())).graph;
  expect(Array.from(initializers.get('brain')!.data as Float32Array)).toEqual([
    1, -2, 0.5, 3.3895313892515355e38,
  ]);
  const largest = 3.4028234663852886e38;
  expect(Array.from(initializers.get('masks')!.data as Float32Array)).toEqual([
    -largest,
    largest,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ]);
});

test('integers, booleans and their casts are untouched', () => {
  const b = new GraphBuilder();
  b.input('i', 'int64', [2]);
  b.initializer('five', int64([], [5]));
  b.output(b.op('Cast', [b.op('Add', ['i', 'five'])], { to: int(6) }), 'int32', [2], 'y');
  const model = canonicalModel(b.build());
  expect(toFloat32(model)).toEqual(model);
});

test('a float64 model of an old operator set is raised and then converted', async () => {
  const b = new GraphBuilder();
  b.input('x', 'float64', [2]);
  b.output(b.op('Pad', ['x'], { pads: ints([1, 2]), value: float(0.5) }), 'float64', [5], 'y');
  const old = modelOf(b.build(), 10);
  const before = (await runModel(old, { x: float64([2], [3, 4]) })).y!;
  const after = (await runModel(toFloat32(raiseOpset(old)), { x: float32([2], [3, 4]) })).y!;
  expect(Array.from(after.data as Float32Array)).toEqual(Array.from(before.data as Float64Array));
});

test('branches of an If are converted too', async () => {
  const branch = (factor: number) => {
    const inner = new GraphBuilder(undefined, `${factor}/`);
    inner.output(
      inner.op('Mul', ['x', inner.initializer(`f${factor}`, float64([], [factor]))]),
      'float64',
      [2],
    );
    return { type: 'graph' as const, value: inner.build() };
  };
  const b = new GraphBuilder();
  b.input('x', 'float64', [2]);
  b.input('c', 'bool', []);
  b.op('If', ['c'], { then_branch: branch(2), else_branch: branch(3) }, { outputs: ['y'] });
  const model: Model = canonicalModel({
    ...b.build(),
    outputs: [{ name: 'y', dtype: 'float64', dims: [2] }],
  });
  const { y } = await runModel(toFloat32(model), {
    x: float32([2], [1, 4]),
    c: { dtype: 'bool', dims: [], data: Uint8Array.of(0) },
  });
  expect(Array.from(y!.data as Float32Array)).toEqual([3, 12]);
});
