/** Models as other tools export them, for tests that train them further. */

import { preprocessPresets } from '../../src/data/preprocess.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float, int, ints, type Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, sizeOf } from '../../src/onnx/tensor.ts';
import { randomStream } from '../../src/random.ts';
import { optimizerDefaults, type TrainingSettings } from '../../src/train/settings.ts';

export const settings: TrainingSettings = {
  epochs: 2,
  batch: 16,
  seed: 7,
  optimizer: { ...optimizerDefaults.adam, learningRate: 0.01 },
  schedule: { kind: 'constant' },
  preprocess: preprocessPresets.unit,
  batchNormalization: 'update',
  dropout: true,
};

/**
 * Like a Keras export: NHWC input, transposed inside, batch normalisation, dropout, a bias added behind a MatMul whose
 * weight is held by a Constant node, and softmax. A first normalisation of the pixels is inside, too. For 8×8×3 and 4 classes.
 */
export function kerasLike(): Model {
  const random = randomStream(11);
  const b = new GraphBuilder(undefined, '');
  const weight = (name: string, dims: readonly number[], scale: number): string =>
    b.initializer(
      name,
      float32(
        dims,
        Float32Array.from({ length: sizeOf(dims) }, () => scale * random.normal()),
      ),
    );
  const filled = (name: string, length: number, value: number): string =>
    b.initializer(name, float32([length], new Float32Array(length).fill(value)));
  const input = b.input('input_1', 'float32', ['N', 8, 8, 3]);
  const centred = b.sub(input, filled('pixel_mean', 3, 0.4));
  const planes = b.op('Transpose', [centred], { perm: ints([0, 3, 1, 2]) });
  const conv = b.op('Conv', [planes, weight('conv/kernel', [6, 3, 3, 3], 0.3), filled('conv/bias', 6, 0)]);
  const normalized = b.op(
    'BatchNormalization',
    [
      conv,
      filled('bn/gamma', 6, 1),
      filled('bn/beta', 6, 0),
      filled('bn/mean', 6, 0.1),
      filled('bn/variance', 6, 0.8),
    ],
    { epsilon: float(1e-3), momentum: float(0.9) },
  );
  const dropped = b.op('Dropout', [b.op('Relu', [normalized]), b.scalar(0.25)]);
  const flat = b.op('Flatten', [dropped], { axis: int(1) });
  const kernel = float32(
    [216, 4],
    Float32Array.from({ length: 864 }, () => 0.1 * random.normal()),
  );
  b.op('Constant', [], { value: { type: 'tensor', value: kernel } }, { outputs: ['dense/kernel'] });
  const product = b.op('MatMul', [flat, 'dense/kernel']);
  const logits = b.add(product, filled('dense/bias', 4, 0));
  b.output(b.op('Softmax', [logits], { axis: int(-1) }), 'float32', ['N', 4], 'softmax');
  return canonicalModel(b.build());
}
