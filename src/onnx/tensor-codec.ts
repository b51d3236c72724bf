/** TensorProto <-> Tensor. */

import { create } from '@bufbuild/protobuf';
import { NeuralCleanseError } from '../errors.ts';
import {
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType as DT,
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

/** Reads the bytes of an external tensor: location, offset and length are as the file states them. */
export type ExternalData = (reference: ReadonlyMap<string, string>, tensor: string) => Uint8Array;

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

export function tensorFromProto(proto: TensorProto, external: ExternalData): Tensor {
  const dims = proto.dims.map(Number);
  if (dims.some((d) => d < 0 || !Number.isSafeInteger(d))) {
    throw invalid(proto, `has the impossible shape [${dims}]`);
  }
  const dtype = dtypeFromCode(proto.dataType);
  const count = sizeOf(dims);
  const raw =
    proto.dataLocation === TensorProto_DataLocation.EXTERNAL
      ? external(new Map(proto.externalData.map((e) => [e.key, e.value])), proto.name)
      : proto.rawData;
  if (dtype === 'opaque') {
    if (raw.length === 0 && count > 0) throw invalid(proto, `has the unsupported data type ${proto.dataType}`);
    return { dtype, dims, data: raw, opaqueType: proto.dataType };
  }
  if (dtype === 'string') {
    if (proto.stringData.length !== count) throw mismatch(proto, proto.stringData.length, count);
    return { dtype, dims, data: proto.stringData };
  }
  const data = raw.length > 0 || count === 0 ? fromRaw(dtype, raw) : fromFields(dtype, proto);
  if (data.length !== count) throw mismatch(proto, data.length, count);
  return { dtype, dims, data } as Tensor;
}

function fromRaw(dtype: keyof typeof views, raw: Uint8Array): TensorData {
  const View = views[dtype];
  const length = Math.floor(raw.byteLength / View.BYTES_PER_ELEMENT);
  // Typed arrays need aligned offsets, and a copy frees the file buffer besides.
  const copy = raw.slice(0, length * View.BYTES_PER_ELEMENT);
  return new View(copy.buffer, 0, length);
}

function fromFields(dtype: keyof typeof views, proto: TensorProto): TensorData {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(proto.floatData);
    case 'float64':
      return Float64Array.from(proto.doubleData);
    case 'int64':
      return BigInt64Array.from(proto.int64Data);
    case 'uint64':
      return BigUint64Array.from(proto.uint64Data);
    case 'uint32':
      return Uint32Array.from(proto.uint64Data, Number);
    default:
      // The 32-bit field carries every narrower type, floats as bit patterns.
      return views[dtype].from(proto.int32Data);
  }
}

export function tensorToProto(name: string, tensor: Tensor): TensorProto {
  const dims = tensor.dims.map(BigInt);
  if (tensor.dtype === 'string') {
    return create(TensorProtoSchema, { name, dims, dataType: DT.STRING, stringData: tensor.data as Uint8Array[] });
  }
  const dataType = tensor.dtype === 'opaque' ? (tensor.opaqueType ?? DT.UNDEFINED) : codeOf[tensor.dtype];
  const array = tensor.data as Exclude<TensorData, Uint8Array[]>;
  const rawData = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return create(TensorProtoSchema, { name, dims, dataType, rawData: rawData as Uint8Array<ArrayBuffer> });
}

const invalid = (proto: TensorProto, what: string): NeuralCleanseError =>
  new NeuralCleanseError('MODEL_INVALID', `Tensor "${proto.name}" ${what}.`, {
    hint: 'The model file is damaged or uses a type no classifier needs; export it again.',
  });

const mismatch = (proto: TensorProto, found: number, expected: number): NeuralCleanseError =>
  invalid(proto, `of shape [${proto.dims}] needs ${expected} elements, but holds ${found}`);
