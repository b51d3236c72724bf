import { describe, expect, it } from 'vitest';
import { meanAndDeviation } from '../../src/data/pixel-statistics.ts';
import {
  appendPreprocess,
  type Preprocess,
  parsePreprocess,
  preprocessCandidates,
  preprocessPresets,
} from '../../src/data/preprocess.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

/** What one pixel (or one of each channel) becomes. */
async function apply(preprocess: Preprocess, pixel: readonly number[]): Promise<number[]> {
  const b = new GraphBuilder(undefined, '');
  const x = b.input('x', 'float32', [1, pixel.length, 1, 1]);
  b.output(appendPreprocess(b, x, pixel.length, preprocess), 'float32', [1, pixel.length, 1, 1], 'y');
  const session = await nodeRuntime.open(canonicalModel(b.build()), { provider: 'cpu' });
  const { y } = await session.run({ x: float32([1, pixel.length, 1, 1], pixel) });
  await session.release();
  return Array.from(y!.data as Float32Array);
}

describe('presets', () => {
  it.each([
    ['raw255', [255, 128, 0]],
    ['unit', [1, 128 / 255, 0]],
    ['tf', [1, 128 / 127.5 - 1, -1]],
    ['caffe', [0 - 103.939, 128 - 116.779, 255 - 123.68]],
    ['torch', [(1 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (0 - 0.406) / 0.225]],
  ] as const)('%s', async (name, expected) => {
    const result = await apply(preprocessPresets[name], [255, 128, 0]);
    result.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i]!, 4);
    });
  });
});

describe('parsePreprocess', () => {
  it('reads a spec', async () => {
    const spec = parsePreprocess('range=1;mean=0.34,0.31,0.32;std=0.27,0.26,0.27;order=bgr');
    expect(spec).toMatchObject({ range: 1, mean: [0.34, 0.31, 0.32], std: [0.27, 0.26, 0.27], order: 'bgr' });
    const [first] = await apply(spec, [255, 0, 51]);
    expect(first).toBeCloseTo((0.2 - 0.34) / 0.27, 5);
  });

  it('fills in what is left out, and its name reads back to itself', () => {
    for (const text of ['mean=0.5', 'range=255;order=bgr', 'std=0.2;mean=0.1']) {
      const spec = parsePreprocess(text);
      expect(parsePreprocess(spec.name)).toEqual(spec);
    }
  });

  it.each(['', 'nope', 'mean=a', 'mean=1,2', 'std=0', 'order=gbr', 'range=-1', 'gain=2', 'mean'])(
    'refuses "%s"',
    (text) => {
      expect(() => parsePreprocess(text)).toThrow(expect.objectContaining({ code: 'PREPROCESS_INVALID' }));
    },
  );
});

describe('preprocessCandidates', () => {
  it('offers no channel order and no colour statistics for grey images', () => {
    const names = preprocessCandidates([0, 255, 100, 30], 1).map((p) => p.name);
    expect(names).toEqual(expect.arrayContaining(['raw255', 'unit', 'tf']));
    expect(names).not.toContain('caffe');
    expect(names.every((n) => !n.includes('bgr'))).toBe(true);
  });

  it('includes the statistics of the images themselves', () => {
    const own = preprocessCandidates([0, 51, 102, 0, 51, 204], 3).at(-1)!;
    expect(own.mean).toEqual([0, 0.2, 0.6]);
    expect(own.std[2]).toBeCloseTo(0.2, 5);
  });
});

it('measures mean and deviation by channel', () => {
  expect(meanAndDeviation([1, 10, 3, 30], 2)).toEqual({ mean: [2, 20], deviation: [1, 10] });
});
