/** The IDX format of MNIST and its relatives: big-endian arrays behind a four-byte type and shape header. */

import { sizeOf, type Tensor } from '../onnx/tensor.ts';
import { corrupt, typedElements } from './bytes.ts';

const types = {
  8: ['uint8', Uint8Array],
  9: ['int8', Int8Array],
  11: ['int16', Int16Array],
  12: ['int32', Int32Array],
  13: ['float32', Float32Array],
  14: ['float64', Float64Array],
} as const;

/** True if the bytes begin as an IDX file does. */
export const isIdx = (bytes: Uint8Array): boolean =>
  bytes[0] === 0 && bytes[1] === 0 && (bytes[2] ?? 0) in types && (bytes[3] ?? 0) > 0 && bytes[3]! <= 8;

/** @throws NeuralCleanseError DATA_CORRUPT */
export function parseIdx(bytes: Uint8Array): Tensor {
  if (!isIdx(bytes)) throw corrupt('the bytes do not begin with an IDX header');
  const [dtype, ArrayType] = types[bytes[2] as keyof typeof types];
  const rank = bytes[3]!;
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw corrupt('the IDX header is cut off');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dims = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const needed = sizeOf(dims) * ArrayType.BYTES_PER_ELEMENT;
  const present = bytes.length - start;
  if (present !== needed)
    throw corrupt(`the IDX array [${dims}] of ${dtype} needs ${needed} bytes, not ${present}`);
  return { dtype, dims, data: typedElements(bytes.subarray(start), ArrayType, true) } as Tensor;
}
