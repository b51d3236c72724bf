import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { randomModel } from './random-models.ts';

test('any model comes back from its bytes as it was', () => {
  fc.assert(
    fc.property(randomModel, (model) => {
      expect(readModel(writeModel(model))).toEqual(model);
    }),
    { seed: 11, numRuns: 300 },
  );
});
