/** Dense tensors as the IR holds them: element type, dimensions, and a typed array in row-major order. */

import { NeuralCleanseError } from '../errors.ts';

/**
 * Element types. `float16` and `bfloat16` hold raw bit patterns, `bool` one byte an element, `string` UTF-8 bytes, and the types
 * ORT's JavaScript API knows nothing of (complex, float8, 4-bit) are carried as packed bytes so that a round trip keeps them.
 */
export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'
  | 'string'
  | 'opaque';

export interface ArrayOf {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
  string: Uint8Array[];
  opaque: Uint8Array;
}

export type TensorData = ArrayOf[DType];

export interface Tensor<T extends DType = DType> {
  readonly dtype: T;
  /** Dimensions; `[]` is a scalar. */
  readonly dims: readonly number[];
  /** Row-major elements. */
  readonly data: ArrayOf[T];
  /** ONNX data type number of an `opaque` tensor. */
  readonly opaqueType?: number;
}

export type FloatDType = 'float32' | 'float64' | 'float16' | 'bfloat16';

export const isFloat = (dtype: DType): dtype is FloatDType =>
  dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16';

/** Number of elements of a shape; 1 for a scalar. */
export const sizeOf = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

/** A float32 tensor. @throws NeuralCleanseError SHAPE_MISMATCH if `data` does not fill `dims`. */
export function float32(dims: readonly number[], data: Float32Array | readonly number[]): Tensor<'float32'> {
  return checked({
    dtype: 'float32',
    dims,
    data: data instanceof Float32Array ? data : Float32Array.from(data),
  });
}

/** An int64 tensor from whole numbers (see {@link toInt64}). @throws NeuralCleanseError SHAPE_MISMATCH if `data` does not fill `dims`. */
export function int64(dims: readonly number[], data: readonly number[]): Tensor<'int64'> {
  return checked({ dtype: 'int64', dims, data: BigInt64Array.from(data, toInt64) });
}

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

/**
 * A whole number as int64. "To the end" bounds are written as the largest int64, which as a double is 2^63 and would
 * wrap around to the smallest, so what lies outside the range becomes the nearest bound.
 */
export function toInt64(value: number): bigint {
  if (value >= 2 ** 63) return int64Max;
  return value <= -(2 ** 63) ? int64Min : BigInt(value);
}

/** A float32 scalar. */
export const scalar = (value: number): Tensor<'float32'> => float32([], [value]);

function checked<T extends DType>(tensor: Tensor<T>): Tensor<T> {
  if (tensor.data.length !== sizeOf(tensor.dims)) {
    throw new NeuralCleanseError(
      'SHAPE_MISMATCH',
      `A tensor of shape [${tensor.dims}] needs ${sizeOf(tensor.dims)} elements, but ${tensor.data.length} were given.`,
    );
  }
  return tensor;
}

/**
 * The elements as plain numbers, whatever the element type. For small tensors: axes, shapes, pads, scalars.
 *
 * 64-bit integers beyond 2^53 are rounded to the nearest double.
 *
 * @throws NeuralCleanseError MODEL_INVALID for strings and opaque types
 */
export const toNumbers = (tensor: Tensor): number[] =>
  Array.from(elementsOf(tensor), decoderOf(tensor.dtype));

/**
 * The same values as float32; wider types are rounded, float32 is returned as it is.
 *
 * @throws NeuralCleanseError MODEL_INVALID for strings and opaque types
 */
export function toFloat32(tensor: Tensor): Tensor<'float32'> {
  if (tensor.dtype === 'float32') return tensor as Tensor<'float32'>;
  const elements = elementsOf(tensor);
  const decode = decoderOf(tensor.dtype);
  // Weights come through here: TypedArray.from would walk an iterator.
  const data = new Float32Array(elements.length);
  for (let i = 0; i < data.length; i++) data[i] = decode(elements[i]!);
  return { dtype: 'float32', dims: tensor.dims, data };
}

function elementsOf(tensor: Tensor): ArrayLike<number | bigint> {
  if (tensor.dtype === 'string' || tensor.dtype === 'opaque') {
    throw new NeuralCleanseError(
      'MODEL_INVALID',
      `A ${tensor.dtype} tensor stands where numbers are expected.`,
      {
        hint: 'Export the model again with float and integer tensors only.',
      },
    );
  }
  return tensor.data as ArrayLike<number | bigint>;
}

function decoderOf(dtype: DType): (element: number | bigint) => number {
  if (dtype === 'float16') return (bits) => float16ToNumber(Number(bits));
  return dtype === 'bfloat16' ? (bits) => bfloat16ToNumber(Number(bits)) : Number;
}

/** IEEE 754 binary16 bits to a number. */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const bits32 = new Uint32Array(1);
const value32 = new Float32Array(bits32.buffer);

/** bfloat16 bits (the upper half of a float32) to a number. */
export function bfloat16ToNumber(bits: number): number {
  bits32[0] = bits << 16;
  return value32[0]!;
}
