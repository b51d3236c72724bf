import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { compute } from './protos.ts';
import { zoo } from './zoo.ts';

/** Models of other writers (PyTorch) that the gradient tests keep. */
const fixtures = join(import.meta.dirname, '../fixtures/gradients');
const exported = existsSync(fixtures)
  ? readdirSync(fixtures)
      .map((name): [string, string] => [name, join(fixtures, name, 'model.onnx')])
      .filter(([, path]) => existsSync(path))
      .map(([name, path]): [string, Uint8Array] => [name, readFileSync(path)])
  : [];

describe.each([...Object.entries(zoo), ...exported])('reading and writing %s', (_, bytes) => {
  const model = readModel(bytes);
  const written = writeModel(model);

  test('keeps what ONNX Runtime computes, bit for bit', async () => {
    const before = await compute(bytes);
    expect(Object.keys(before)).not.toHaveLength(0);
    expect(await compute(written)).toEqual(before);
  });

  test('is stable: the second reading equals the first', () => {
    // Initializers that are not inputs need IR 4.
    expect(readModel(written)).toEqual({ ...model, irVersion: Math.max(4, model.irVersion) });
    expect(writeModel(readModel(written))).toEqual(written);
  });
});
