/** TensorProto <-> Tensor. */

import { create } from '@bufbuild/protobuf';
import { NeuralCleanseError } from '../errors.ts';
import type { ExternalStore } from './external-data.ts';
import { invalidTensor } from './invalid.ts';
import {
  TensorProto_DataType as DT,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from './proto/onnx_pb.ts';
import { type DType, sizeOf, type Tensor, type TensorData } from './tensor.ts';

const codeOf = {
  float32: DT.FLOAT,
  float64: DT.DOUBLE,
  float16: DT.FLOAT16,
  bfloat16: DT.BFLOAT16,
  int8: DT.INT8,
  int16: DT.INT16,
  int32: DT.INT32,
  int64: DT.INT64,
  uint8: DT.UINT8,
  uint16: DT.UINT16,
  uint32: DT.UINT32,
  uint64: DT.UINT64,
  bool: DT.BOOL,
  string: DT.STRING,
} as const satisfies Record<Exclude<DType, 'opaque'>, DT>;

const dtypeOf = new Map<number, DType>(Object.entries(codeOf).map(([dtype, code]) => [code, dtype as DType]));

/** The element type of an ONNX data type number; types outside the JavaScript API are `opaque`. */
export const dtypeFromCode = (code: number): DType => dtypeOf.get(code) ?? 'opaque';

/** The ONNX data type number of an element type. */
export const codeFromDtype = (dtype: Exclude<DType, 'opaque'>): number => codeOf[dtype];

const views = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** Bits an element of the opaque types that the ONNX version of our schema knows. */
const opaqueBits = new Map<number, number>([
  [DT.COMPLEX64, 64],
  [DT.COMPLEX128, 128],
  [DT.FLOAT8E4M3FN, 8],
  [DT.FLOAT8E4M3FNUZ, 8],
  [DT.FLOAT8E5M2, 8],
  [DT.FLOAT8E5M2FNUZ, 8],
  [DT.UINT4, 4],
  [DT.INT4, 4],
  [DT.FLOAT4E2M1, 4],
]);

/** Shapes beyond this are refused; ONNX Runtime and protobuf end at the same order of size. */
const maxElements = 2 ** 31 - 1;
const maxRank = 64;

/**
 * The dimensions of a tensor, checked to be countable.
 *
 * @throws NeuralCleanseError MODEL_INVALID for a negative dimension or more than 64 of them, MODEL_TOO_LARGE
 */
export function dimsFromProto(name: string, stored: readonly bigint[]): number[] {
  if (stored.length > maxRank) throw invalidTensor(name, `has ${stored.length} dimensions`);
  const dims = stored.map(Number);
  if (dims.some((d) => d < 0 || !Number.isSafeInteger(d))) {
    throw invalidTensor(name, `has the impossible shape [${stored}]`);
  }
  if (sizeOf(dims) > maxElements) {
    throw new NeuralCleanseError(
      'MODEL_TOO_LARGE',
      `Tensor "${name}" of shape [${dims}] has too many elements.`,
      {
        hint: `At most ${maxElements} can be handled.`,
      },
    );
  }
  return dims;
}

/**
 * The bytes that a tensor's raw data must have, or `undefined` if that does not follow from its shape and type
 * (strings, types younger than our schema).
 *
 * @throws NeuralCleanseError MODEL_INVALID, MODEL_TOO_LARGE
 */
export function rawByteLength(proto: TensorProto): number | undefined {
  const dtype = dtypeFromCode(proto.dataType);
  if (dtype === 'string') return undefined;
  const bits = dtype === 'opaque' ? opaqueBits.get(proto.dataType) : views[dtype].BYTES_PER_ELEMENT * 8;
  return bits === undefined
    ? undefined
    : Math.ceil((sizeOf(dimsFromProto(proto.name, proto.dims)) * bits) / 8);
}

/**
 * Decodes a tensor whose data lies in the message itself (see embedExternalData for those in other files).
 *
 * Nothing is allocated beyond what the message holds: a shape that its data does not fill is refused.
 *
 * @throws NeuralCleanseError MODEL_INVALID, MODEL_TOO_LARGE
 */
export function tensorFromProto(proto: TensorProto): Tensor {
  const { name, dataType } = proto;
  const dims = dimsFromProto(name, proto.dims);
  if (proto.segment) throw invalidTensor(name, 'is stored in segments, which no ONNX version reads');
  const dtype = dtypeFromCode(dataType);
  if (dtype === 'string') {
    if (proto.stringData.length !== sizeOf(dims)) {
      throw invalidTensor(name, `of shape [${dims}] holds ${proto.stringData.length} strings`);
    }
    return { dtype, dims, data: proto.stringData.map((bytes) => new Uint8Array(bytes)) };
  }
  const data = dtype === 'opaque' ? opaqueFromProto(proto) : typedFromProto(dtype, proto);
  const expected = rawByteLength(proto);
  if (expected !== undefined && data.byteLength !== expected) {
    throw invalidTensor(
      name,
      `of shape [${dims}] needs ${expected} bytes of ${nameOf(dataType)}, but holds ${data.byteLength}`,
    );
  }
  return dtype === 'opaque' ? { dtype, dims, data, opaqueType: dataType } : ({ dtype, dims, data } as Tensor);
}

type NumericData = Exclude<TensorData, Uint8Array[]>;

function typedFromProto(dtype: keyof typeof views, proto: TensorProto): NumericData {
  if (proto.rawData.length === 0) return dataFromFields(dtype, proto);
  const View = views[dtype];
  const buffer = ownBuffer(proto.rawData);
  if (buffer.byteLength % View.BYTES_PER_ELEMENT !== 0) {
    throw invalidTensor(proto.name, `ends within an element: ${buffer.byteLength} bytes of ${dtype}`);
  }
  return new View(buffer);
}

/** Typed arrays need aligned offsets, and a copy lets go of the file's buffer. Bytes in a buffer of their own need neither. */
function ownBuffer(raw: Uint8Array): ArrayBuffer {
  const { buffer } = raw;
  return buffer instanceof ArrayBuffer && buffer.byteLength === raw.byteLength
    ? buffer
    : new Uint8Array(raw).buffer;
}

function dataFromFields(dtype: keyof typeof views, proto: TensorProto): NumericData {
  switch (dtype) {
    case 'float32':
      return new Float32Array(proto.floatData);
    case 'float64':
      return new Float64Array(proto.doubleData);
    case 'int64':
      return new BigInt64Array(proto.int64Data);
    case 'uint64':
      return new BigUint64Array(proto.uint64Data);
    case 'uint32':
      return Uint32Array.from(proto.uint64Data, Number);
    default:
      // The 32-bit field carries every narrower type, floats as bit patterns.
      return new views[dtype](proto.int32Data);
  }
}

function opaqueFromProto(proto: TensorProto): Uint8Array {
  if (proto.rawData.length > 0) return new Uint8Array(proto.rawData);
  switch (proto.dataType) {
    case DT.UNDEFINED:
      throw invalidTensor(proto.name, 'has no data type');
    case DT.COMPLEX64:
      return new Uint8Array(new Float32Array(proto.floatData).buffer);
    case DT.COMPLEX128:
      return new Uint8Array(new Float64Array(proto.doubleData).buffer);
    default:
      return new Uint8Array(proto.int32Data);
  }
}

/** Encodes a tensor; `store` may take its bytes to another file. Strings always stay in the message. */
export function tensorToProto(name: string, tensor: Tensor, store?: ExternalStore): TensorProto {
  const dims = tensor.dims.map(BigInt);
  if (tensor.dtype === 'string') {
    return create(TensorProtoSchema, {
      name,
      dims,
      dataType: DT.STRING,
      stringData: tensor.data as Uint8Array[],
    });
  }
  const dataType = tensor.dtype === 'opaque' ? (tensor.opaqueType ?? DT.UNDEFINED) : codeOf[tensor.dtype];
  const array = tensor.data as NumericData;
  const rawData = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const reference = store?.(rawData, name);
  if (!reference) return create(TensorProtoSchema, { name, dims, dataType, rawData });
  return create(TensorProtoSchema, {
    name,
    dims,
    dataType,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(reference).map(([key, value]) => ({ key, value: String(value) })),
  });
}

const nameOf = (code: number): string => DT[code]?.toLowerCase() ?? `type ${code}`;
