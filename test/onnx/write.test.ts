import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { ExternalReference } from '../../src/onnx/external-data.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { ModelProtoSchema } from '../../src/onnx/proto/onnx_pb.ts';
import { readModel } from '../../src/onnx/read.ts';
import type { Tensor } from '../../src/onnx/tensor.ts';
import { tensorBytes, writeModel } from '../../src/onnx/write.ts';
import { errorOf } from './errors.ts';
import { zoo } from './zoo.ts';

test('tensors of subgraphs and attributes count', () => {
  expect(tensorBytes(readModel(zoo.nested!).graph)).toBe(1 + 1 + 8 + 8);
  expect(tensorBytes(readModel(zoo.constants!).graph)).toBe(8);
  const { initializers } = readModel(zoo.elementTypes!).graph;
  expect(
    tensorBytes({
      ...readModel(zoo.old!).graph,
      initializers: new Map([['s', initializers.get('string')!]]),
    }),
  ).toBe(3);
});

test('a model too large for one file is refused before it is encoded', () => {
  const b = new GraphBuilder();
  // One buffer of 64 MiB, forty times.
  const shared: Tensor = { dtype: 'uint8', dims: [2 ** 26], data: new Uint8Array(2 ** 26) };
  for (let i = 0; i < 40; i++) b.initializer(`w${i}`, shared);
  b.output('w0', 'uint8', [2 ** 26]);
  const model = canonicalModel(b.build());
  const error = errorOf(() => writeModel(model));
  expect(error?.code).toBe('MODEL_TOO_LARGE');
  expect(error?.message).toContain(String(40 * 2 ** 26));
  expect(
    writeModel(model, (bytes) => ({ location: 'w', offset: 0, length: bytes.length })).length,
  ).toBeLessThan(5000);
});

test('a store takes the bytes it wants, and reading gets them back', () => {
  const model = readModel(zoo.convolutional!);
  const stored: { bytes: Uint8Array; reference: ExternalReference }[] = [];
  const bytes = writeModel(model, (taken, tensor) => {
    if (taken.length < 100) return undefined;
    const reference = { location: `${tensor}.bin`, offset: stored.length, length: taken.length };
    stored.push({ bytes: taken.slice(), reference });
    return reference;
  });
  expect(stored.map((s) => s.bytes.length)).toEqual([216]);
  const stays = fromBinary(ModelProtoSchema, bytes).graph!.initializer.filter((t) => t.rawData.length > 0);
  expect(stays).toHaveLength(model.graph.initializers.size - 1);
  const again = readModel(bytes, (reference) => {
    const found = stored.find((s) => s.reference.location === reference.location)!;
    expect(reference).toEqual(found.reference);
    return found.bytes;
  });
  expect(again).toEqual(model);
});
