/** NumPy's .npy format, versions 1 to 3. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */

import { NeuralCleanseError } from '../errors.ts';
import { sizeOf, type Tensor } from '../onnx/tensor.ts';
import { corrupt, type NumericArray, typedElements } from './bytes.ts';

/** Type codes of a header (without the byte order) and the arrays that hold such elements. */
const types = {
  b1: ['bool', Uint8Array],
  i1: ['int8', Int8Array],
  i2: ['int16', Int16Array],
  i4: ['int32', Int32Array],
  i8: ['int64', BigInt64Array],
  u1: ['uint8', Uint8Array],
  u2: ['uint16', Uint16Array],
  u4: ['uint32', Uint32Array],
  u8: ['uint64', BigUint64Array],
  f2: ['float16', Uint16Array],
  f4: ['float32', Float32Array],
  f8: ['float64', Float64Array],
} as const;

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

/** True if the bytes begin as a .npy file does. */
export const isNpy = (bytes: Uint8Array): boolean => magic.every((byte, i) => bytes[i] === byte);

/**
 * Parses an array of booleans, integers or floats of any width and byte order.
 *
 * @returns elements in row-major order, also where the file has Fortran order
 * @throws NeuralCleanseError DATA_CORRUPT, and DATA_FORMAT_UNKNOWN for objects, strings, complex and structured types
 */
export function parseNpy(bytes: Uint8Array): Tensor {
  if (!isNpy(bytes)) throw corrupt('the bytes do not begin with the .npy signature');
  const { descr, fortran, dims, start } = parseHeader(bytes);
  const [, order, code] = /^([<>|=])([a-z]\d+)$/.exec(descr) ?? [];
  const type = types[code as keyof typeof types];
  if (type === undefined) {
    throw new NeuralCleanseError('DATA_FORMAT_UNKNOWN', `The .npy file has elements of type ${descr}.`, {
      hint: 'Save booleans, integers or floats, for example with array.astype("float32").',
    });
  }
  const [dtype, ArrayType] = type;
  const length = sizeOf(dims);
  const needed = length * ArrayType.BYTES_PER_ELEMENT;
  if (!(bytes.length - start >= needed)) {
    throw corrupt(
      `the .npy array [${dims}] of ${dtype} needs ${needed} bytes, ${bytes.length - start} are left`,
    );
  }
  const stored = typedElements(bytes.subarray(start, start + needed), ArrayType, order === '>');
  return { dtype, dims, data: fortran ? toRowMajor(stored, dims) : stored } as Tensor;
}

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly dims: number[];
  /** Where the elements begin. */
  readonly start: number;
}

function parseHeader(bytes: Uint8Array): Header {
  const major = bytes[6] ?? 0;
  if (major < 1 || major > 3) throw corrupt(`the .npy file has version ${major}, and 1 to 3 are known`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const textStart = major === 1 ? 10 : 12;
  if (bytes.length < textStart) throw corrupt('the .npy header is cut off');
  const start = textStart + (major === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (bytes.length < start) throw corrupt('the .npy header is cut off');
  const text = new TextDecoder().decode(bytes.subarray(textStart, start));
  const descr = /['"]descr['"]\s*:\s*(?:['"]([^'"]+)['"]|(\[))/.exec(text);
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text);
  // Python 2 wrote long integers with an L.
  const shape = /['"]shape['"]\s*:\s*\(([\dL\s,]*)\)/.exec(text);
  if (!descr || !order || !shape) throw corrupt('the .npy header is not a description of an array');
  const dims = shape[1]!
    .split(',')
    .map((d) => d.trim())
    .filter((d) => d !== '')
    .map((d) => Number(d.replace(/L$/, '')));
  if (!dims.every(Number.isSafeInteger)) throw corrupt(`the .npy header has shape (${shape[1]})`);
  return { descr: descr[1] ?? 'structured', fortran: order[1] === 'True', dims, start };
}

function toRowMajor(data: NumericArray, dims: readonly number[]): NumericArray {
  const out = data.slice();
  // Distance in the file between neighbours along each axis: the first axis is the innermost.
  const steps = dims.map((_, axis) => sizeOf(dims.slice(0, axis)));
  const index = dims.map(() => 0);
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    out[to] = data[from]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++index[axis]! < dims[axis]!) break;
      from -= steps[axis]! * dims[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/**
 * The .npy file of a tensor: version 1.0, little-endian, row-major; the elements are stored exactly.
 *
 * @throws NeuralCleanseError DATA_FORMAT_UNKNOWN for element types that NumPy does not have
 */
export function writeNpy(tensor: Tensor): Uint8Array {
  const code = Object.entries(types).find(([, [dtype]]) => dtype === tensor.dtype)?.[0];
  if (code === undefined) {
    throw new NeuralCleanseError('DATA_FORMAT_UNKNOWN', `The .npy format has no ${tensor.dtype} elements.`, {
      hint: 'Convert the tensor to float32.',
    });
  }
  const elements = tensor.data as NumericArray;
  const order = elements.BYTES_PER_ELEMENT === 1 ? '|' : '<';
  const { dims } = tensor;
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(', ')})`;
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': ${shape}, }`;
  // Spaces bring the elements to a multiple of 64 bytes, so that they can be mapped into memory.
  const start = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(start + elements.byteLength);
  bytes.set([...magic, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, start - 10, true);
  bytes.set(new TextEncoder().encode(`${text.padEnd(start - 11)}\n`), 10);
  bytes.set(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength), start);
  return bytes;
}
