/** SparseTensorProto -> Tensor: sparse initializers become dense, since no gradient rule tells them apart. */

import { NeuralCleanseError } from '../errors.ts';
import { invalidTensor } from './invalid.ts';
import type { SparseTensorProto } from './proto/onnx_pb.ts';
import { sizeOf, type Tensor } from './tensor.ts';
import { dimsFromProto, tensorFromProto } from './tensor-codec.ts';

/** Dense elements allowed for each stored value, so that a few bytes cannot ask for gigabytes. */
const maxExpansion = 1024;

/**
 * The dense form; elements that are not stored are 0.
 *
 * Indices are either linear `[NNZ]` or tuples `[NNZ, rank]`, ascending (onnx.proto, SparseTensorProto).
 *
 * @throws NeuralCleanseError MODEL_INVALID, MODEL_TOO_LARGE
 */
export function denseFromSparse(proto: SparseTensorProto): Tensor {
  const name = proto.values?.name ?? '';
  if (!proto.values || !proto.indices)
    throw invalidTensor(name, 'is sparse, but lacks its values or indices');
  const values = tensorFromProto(proto.values);
  const indices = tensorFromProto(proto.indices);
  const dims = dimsFromProto(name, proto.dims);
  const size = sizeOf(dims);
  const stored = values.data.length;
  if (values.dtype === 'string' || values.dtype === 'opaque' || values.dims.length !== 1) {
    throw invalidTensor(name, `stores sparse values of type ${values.dtype} and shape [${values.dims}]`);
  }
  if (indices.dtype !== 'int64' || ![`${stored}`, `${stored},${dims.length}`].includes(`${indices.dims}`)) {
    throw invalidTensor(
      name,
      `has ${stored} values, but ${indices.dtype} indices of shape [${indices.dims}]`,
    );
  }
  if (size > maxExpansion * (stored + 1)) {
    throw new NeuralCleanseError(
      'MODEL_TOO_LARGE',
      `Sparse tensor "${name}" stores ${stored} of ${size} values.`,
      {
        hint: 'Export the model again with dense weights.',
      },
    );
  }

  const coordinates = indices.data as BigInt64Array;
  const perValue = indices.dims.length === 1 ? 1 : dims.length;
  const extents = perValue === dims.length ? dims : [size];
  const data = new (values.data.constructor as new (length: number) => typeof values.data)(size);
  let previous = -1;
  for (let i = 0; i < stored; i++) {
    const position = linearIndex(coordinates.subarray(i * perValue, (i + 1) * perValue), extents);
    if (position === undefined || position <= previous) {
      throw invalidTensor(
        name,
        `of shape [${dims}] has a sparse index out of range or order at position ${i}`,
      );
    }
    data[position] = values.data[i]!;
    previous = position;
  }
  return { dtype: values.dtype, dims, data } as Tensor;
}

/** Row-major position, or `undefined` outside the extents. */
function linearIndex(coordinates: BigInt64Array, extents: readonly number[]): number | undefined {
  let position = 0;
  for (const [axis, extent] of extents.entries()) {
    const coordinate = Number(coordinates[axis]);
    if (coordinate < 0 || coordinate >= extent) return undefined;
    position = position * extent + coordinate;
  }
  return position;
}
