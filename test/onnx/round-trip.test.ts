import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { compute } from './protos.ts';
import { zoo } from './zoo.ts';

/** Networks exported by PyTorch, which the gradient tests keep. */
const fixtures = join(import.meta.dirname, '../fixtures/gradients');
const exported = readdirSync(fixtures, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }): [string, Uint8Array] => [name, readFileSync(join(fixtures, name, 'model.onnx'))]);

describe.each([...Object.entries(zoo), ...exported])('reading and writing %s', (_, bytes) => {
  const model = readModel(bytes);
  const written = writeModel(model);

  test('keeps what ONNX Runtime computes, bit for bit', async () => {
    const before = await compute(bytes);
    expect(Object.keys(before)).not.toHaveLength(0);
    expect(await compute(written)).toEqual(before);
  });

  test('is stable: the second reading equals the first', () => {
    const again = readModel(written);
    // Initializers that are not inputs need IR 4. (Weights are many: toEqual would take seconds.)
    expect(isDeepStrictEqual(again, { ...model, irVersion: Math.max(4, model.irVersion) })).toBe(true);
    expect(Buffer.compare(writeModel(again), written)).toBe(0);
  });
});
