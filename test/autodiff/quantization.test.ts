import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/gradient.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { type Attributes, int } from '../../src/onnx/graph.ts';
import { type DType, float32, type Tensor } from '../../src/onnx/tensor.ts';
import { holds, seeds } from '../support/arbitraries.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';
import { type GraphCase, graphGradients } from '../support/graph-gradients.ts';

interface QuantizedType {
  readonly name: string;
  readonly smallest: number;
  readonly largest: number;
  /** ONNX data type number. */
  readonly code: number;
  zeroPoints(values: readonly number[], dims: readonly number[]): Tensor;
}

const plain = (
  name: DType,
  code: number,
  smallest: number,
  largest: number,
  array: { from(values: readonly number[]): Uint8Array | Int8Array | Uint16Array | Int16Array },
): QuantizedType => ({
  name,
  code,
  smallest,
  largest,
  zeroPoints: (values, dims) => ({ dtype: name, dims, data: array.from(values) }) as Tensor,
});

/** Two values a byte, the first in the low bits. */
const packed = (name: string, code: number, smallest: number, largest: number): QuantizedType => ({
  name,
  code,
  smallest,
  largest,
  zeroPoints: (values, dims) => ({
    dtype: 'opaque',
    opaqueType: code,
    dims,
    data: Uint8Array.from(
      { length: Math.ceil(values.length / 2) },
      (_, i) => (values[2 * i]! & 15) | (((values[2 * i + 1] ?? 0) & 15) << 4),
    ),
  }),
});

const types: readonly QuantizedType[] = [
  plain('uint8', 2, 0, 255, Uint8Array),
  plain('int8', 3, -128, 127, Int8Array),
  plain('uint16', 4, 0, 65535, Uint16Array),
  plain('int16', 5, -32768, 32767, Int16Array),
  packed('uint4', 21, 0, 15),
  packed('int4', 22, -8, 7),
];

/** Rounds half to even, as QuantizeLinear does. */
function round(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** A case of quantization along `axis` of x, or as a whole where `axis` is `undefined`. */
function draw(type: QuantizedType, dims: readonly number[], axis: number | undefined, seed: number) {
  const random = generator(seed);
  const count = axis === undefined ? 1 : dims[axis]!;
  const paramDims = axis === undefined ? [] : [count];
  const steps = type.largest - type.smallest;
  const scale = float32(paramDims, randomTensor(random, [count], 1 / steps, 3 / steps).data);
  const zeroPoints = Array.from(randomTensor(random, [count]).data, (v) =>
    Math.round((type.smallest + type.largest + v * steps) / 2),
  );
  // About a third of x lies outside the range.
  const x = randomTensor(random, dims, -2.5, 2.5);
  const dy = randomTensor(random, dims);
  const inner = axis === undefined ? 1 : dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const place = (k: number): number => Math.floor(k / inner) % count;
  return { x, dy, scale, zeroPoints, zeroPoint: type.zeroPoints(zeroPoints, paramDims), place };
}

/**
 * The straight-through definition: x passes dy where round(x/s) + z is representable;
 * each element gives its scale dy times round(x/s) - x/s there, or the distance of the bound from z outside.
 */
function expected(type: QuantizedType, c: ReturnType<typeof draw>) {
  const dScale = c.scale.data.map(() => 0);
  const saturated: boolean[] = [];
  const dx = Array.from(c.x.data, (x, k) => {
    const p = c.place(k);
    const ratio = Math.fround(x / c.scale.data[p]!);
    const q = round(ratio) + c.zeroPoints[p]!;
    const bound = q < type.smallest ? type.smallest : q > type.largest ? type.largest : undefined;
    const dy = c.dy.data[k]!;
    dScale[p]! += dy * (bound === undefined ? round(ratio) - ratio : bound - c.zeroPoints[p]!);
    saturated.push(bound !== undefined);
    return bound === undefined ? dy : 0;
  });
  return { dx, dScale: Array.from(dScale), saturated };
}

const near = (values: readonly number[], accuracy: number) =>
  values.map((v) => expect.closeTo(v, 0 - Math.log10(2 * accuracy)));

/** x through QuantizeLinear and DequantizeLinear. */
function quantizeAndBack(c: ReturnType<typeof draw>, attributes: Attributes): GraphCase {
  return {
    inputs: { x: c.x, s: c.scale },
    build: (b) => {
      const z = b.initializer('z', c.zeroPoint);
      b.op('QuantizeLinear', ['x', 's', z], attributes, { outputs: ['q'] });
      return b.op('DequantizeLinear', ['q', 's', z], attributes);
    },
    dy: c.dy,
    packed: c.zeroPoint.dtype === 'opaque' ? ['q'] : [],
  };
}

describe.each(types)('QuantizeLinear and DequantizeLinear, $name', (type) => {
  it('pass gradients straight through inside the range, and none outside', async () => {
    const seen = { inside: 0, outside: 0 };
    await holds(fc.tuple(fc.constantFrom(undefined, 0, 1, -1), seeds), async ([axis, seed]) => {
      const c = draw(type, [2, 3, 4], axis === -1 ? 2 : axis, seed);
      const { x, s } = await graphGradients(
        quantizeAndBack(c, axis === undefined ? {} : { axis: int(axis) }),
      );
      const { dx, dScale, saturated } = expected(type, c);
      expect(x).toEqual(near(dx, 1e-5));
      // The scale collects terms as large as the range.
      expect(s).toEqual(near(dScale, 1e-5 * (type.largest - type.smallest)));
      for (const isOutside of saturated) seen[isOutside ? 'outside' : 'inside']++;
    });
    expect(seen.inside).toBeGreaterThan(20);
    expect(seen.outside).toBeGreaterThan(20);
  });
});

const step = float32([], [0.1]);

it('the zero point is 0 and the type uint8 where neither is given', async () => {
  const { x } = await graphGradients({
    inputs: { x: float32([5], [-1, -0.04, 1, 25.54, 26]), s: step },
    build: (b) => b.op('DequantizeLinear', [b.op('QuantizeLinear', ['x', 's']), 's']),
  });
  expect(x).toEqual([0, ...near([1, 1, 1], 1e-5), 0]);
});

it('output_dtype chooses the range where no zero point does', async () => {
  const { x } = await graphGradients({
    inputs: { x: float32([4], [-13, -12.8, 12.7, 13]), s: step },
    build: (b) => {
      const q = b.op('QuantizeLinear', ['x', 's'], { output_dtype: int(3) });
      return b.op('DequantizeLinear', [q, 's']);
    },
  });
  expect(x).toEqual([0, ...near([1, 1], 1e-5), 0]);
});

it('a list of one scale serves the whole tensor, also where the default axis does not exist', async () => {
  const { x, s } = await graphGradients({
    inputs: { x: float32([4], [-0.5, 0.1, 1, 30]), s: float32([1], [0.125]) },
    build: (b) => b.op('DequantizeLinear', [b.op('QuantizeLinear', ['x', 's']), 's']),
  });
  expect(x).toEqual(near([0, 1, 1, 1], 1e-5));
  // x/s = -4 (saturates at 0 = z), 0.8, 8, 240: only 0.8 is moved by rounding.
  expect(s).toEqual(near([0.2], 1e-4));
});

it('gradients pass integers that are only moved in between', async () => {
  const { x } = await graphGradients({
    inputs: { x: float32([2, 3], [1, 2, 99, 3, 4, 5]), s: step },
    build: (b) => {
      const moved = b.reshape(b.transpose(b.op('QuantizeLinear', ['x', 's']), [1, 0]), [6]);
      return b.op('DequantizeLinear', [moved, 's']);
    },
    dy: float32([6], [1, 2, 3, 4, 5, 6]),
  });
  expect(x).toEqual(near([1, 3, 0, 2, 4, 6], 1e-5));
});

it('quantizing twice with different scales follows the chain rule', async () => {
  const { x } = await graphGradients({
    inputs: { x: float32([3], [0.3, 2, 20]) },
    build: (b) => {
      const throughScale = (value: string, scale: number): string => {
        const s = b.scalar(scale);
        return b.op('DequantizeLinear', [b.op('QuantizeLinear', [value, s]), s]);
      };
      return throughScale(b.scale(throughScale('x', 0.1), 3), 0.15);
    },
  });
  // 3 · 20 lies beyond 255 · 0.15
  expect(x).toEqual(near([3, 3, 0], 1e-5));
});

describe('refusals', () => {
  const refusal = (build: (b: GraphBuilder) => string, shapes: Record<string, number[]>) => {
    const b = new GraphBuilder();
    b.input('x', 'float32', [4, 4]);
    const y = build(b);
    const dtypes = new Map<string, DType>([
      ['q', 'opaque'],
      ['q8', 'int8'],
      ['r8', 'int8'],
    ]);
    const types = { shapes: new Map(Object.entries({ x: [4, 4], [y]: [4, 4], ...shapes })), dtypes };
    const loss = new Map([[y, b.fill([4, 4], 1)]]);
    return () => differentiate(b.build(), types, { loss, wrt: ['x'] });
  };
  const unsupported = (code: string, op: string, message: string) =>
    expect.objectContaining({ code, op, message: expect.stringContaining(message) });

  it('of 8-bit floats', () => {
    const float8 = refusal(
      (b) => {
        const q = b.op('QuantizeLinear', ['x', b.scalar(1)], { output_dtype: int(17) }, { outputs: ['q'] });
        return b.op('DequantizeLinear', [q, b.scalar(1)]);
      },
      { q: [4, 4], 'nc/scalar_0': [] },
    );
    expect(float8).toThrow(unsupported('ATTRIBUTE_UNSUPPORTED', 'QuantizeLinear', '4, 8 and 16 bit integer'));
  });

  it('of blocks', () => {
    const blocks = refusal(
      (b) => {
        const s = b.initializer('s', float32([4, 2], Array(8).fill(1)));
        const attributes = { axis: int(1), block_size: int(2) };
        const q = b.op('QuantizeLinear', ['x', s], attributes, { outputs: ['q8'] });
        return b.op('DequantizeLinear', [q, s], attributes);
      },
      { q8: [4, 4], s: [4, 2] },
    );
    expect(blocks).toThrow(unsupported('ATTRIBUTE_UNSUPPORTED', 'DequantizeLinear', 'in blocks'));
  });

  it('of operators that compute on quantized values, rather than cutting the gradient off silently', () => {
    const integerArithmetic = refusal(
      (b) => {
        const s = b.initializer('s', step);
        const z = b.initializer('z', { dtype: 'int8', dims: [], data: Int8Array.of(0) });
        const q = b.op('QuantizeLinear', ['x', s, z], {}, { outputs: ['q8'] });
        const r = b.op('QLinearMatMul', [q, s, z, q, s, z, s, z], {}, { outputs: ['r8'] });
        const y = b.op('DequantizeLinear', [r, s, z], {}, { outputs: ['y'] });
        return b.add('x', y);
      },
      { q8: [4, 4], r8: [4, 4], s: [], y: [4, 4] },
    );
    expect(integerArithmetic).toThrow(unsupported('OPERATOR_UNSUPPORTED', 'QLinearMatMul', ''));
  });
});
