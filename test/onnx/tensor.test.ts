import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, int64, type Tensor, toFloat32, toInt64, toNumbers } from '../../src/onnx/tensor.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { outcome } from './errors.ts';
import { compute } from './protos.ts';

const strings: Tensor = { dtype: 'string', dims: [1], data: [new Uint8Array([65])] };
const opaque: Tensor = { dtype: 'opaque', opaqueType: 17, dims: [1], data: new Uint8Array([1]) };

describe.each(['float16', 'bfloat16'] as const)('%s', (dtype) => {
  test('all 65,536 bit patterns widen as in ONNX Runtime', async () => {
    const patterns: Tensor = { dtype, dims: [65536], data: Uint16Array.from({ length: 65536 }, (_, i) => i) };
    const b = new GraphBuilder();
    b.output(b.cast(b.constant(patterns), 'float32'), 'float32', [65536], 'y');
    const { y } = await compute(writeModel(canonicalModel(b.build())));
    const expected = new Float32Array((y!.data as Uint8Array).buffer);
    const widened = toFloat32(patterns);
    // Equal by value, NaN included; the sign of zero counts.
    expect(widened.data.findIndex((value, i) => !Object.is(value, expected[i]))).toBe(-1);
    expect(toNumbers(patterns).findIndex((value, i) => !Object.is(value, expected[i]))).toBe(-1);
  });
});

test('other types become float32 by rounding, float32 stays the same tensor', () => {
  const single = float32([2], [1, 2]);
  expect(toFloat32(single)).toBe(single);
  const double: Tensor = { dtype: 'float64', dims: [2], data: new Float64Array([0.1, 1e-300]) };
  expect(toFloat32(double)).toEqual(float32([2], [Math.fround(0.1), 0]));
  expect(toFloat32(int64([2], [-3, 2 ** 40]))).toEqual(float32([2], [-3, 2 ** 40]));
  expect(toNumbers({ dtype: 'bool', dims: [2], data: new Uint8Array([1, 0]) })).toEqual([1, 0]);
});

test('strings and opaque types are no numbers', () => {
  for (const tensor of [strings, opaque]) {
    expect(outcome(() => toNumbers(tensor))).toBe('MODEL_INVALID');
    expect(outcome(() => toFloat32(tensor))).toBe('MODEL_INVALID');
  }
});

test('int64 bounds do not wrap around', () => {
  const [low, high] = [-(2n ** 63n), 2n ** 63n - 1n];
  expect(int64([4], [2 ** 63, -(2 ** 63), 2 ** 53, -1]).data).toEqual(
    new BigInt64Array([high, low, 2n ** 53n, -1n]),
  );
  expect([2 ** 70, Number.POSITIVE_INFINITY].map(toInt64)).toEqual([high, high]);
  expect([-(2 ** 70), Number.NEGATIVE_INFINITY].map(toInt64)).toEqual([low, low]);
});

test('elements must fill the shape', () => {
  expect(outcome(() => float32([2, 2], [1, 2, 3]))).toBe('SHAPE_MISMATCH');
  expect(outcome(() => int64([0], [1]))).toBe('SHAPE_MISMATCH');
  expect(outcome(() => float32([], [1]))).toBe('ok');
});
