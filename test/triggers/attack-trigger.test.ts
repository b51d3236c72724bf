import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomStream } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { type AttackTrigger, applyTrigger, sameTrigger, shapeOf } from '../../src/triggers/attack-trigger.ts';
import { buildTrigger, sinusoid, type TriggerFiles } from '../../src/triggers/build.ts';
import type { ImageShape } from '../../src/triggers/patterns.ts';
import { triggerFrom } from '../../src/triggers/spec.ts';
import { stamp } from '../../src/triggers/stamp.ts';
import { boundingBox, makeTrigger, type PatchBox } from '../../src/triggers/trigger.ts';
import { warpField } from '../../src/triggers/warp.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';

const noFiles: TriggerFiles = {
  picture: () => Promise.reject(new Error('no picture is asked for')),
  saved: () => Promise.reject(new Error('no folder is asked for')),
};
const build = (fields: Record<string, unknown>, shape: ImageShape): Promise<AttackTrigger> =>
  buildTrigger(triggerFrom(fields), shape, noFiles);

const shapes = fc.tuple(
  fc.integer({ min: 6, max: 12 }),
  fc.integer({ min: 6, max: 12 }),
  fc.constantFrom(1, 3),
);
const imageOf = (seed: number, [height, width, channels]: ImageShape): Float32Array =>
  randomTensor(generator(seed), [height, width, channels], 0, 255).data;
const applied = (trigger: AttackTrigger, image: Float32Array): Float32Array => {
  const changed = image.slice();
  applyTrigger(trigger, changed);
  return changed;
};
const checks = { seed: 5, numRuns: 40 };

/** One of each kind, with settings that vary. */
const anyTrigger = fc.oneof(
  fc.record({ kind: fc.constant('square'), size: fc.integer({ min: 1, max: 5 }), colour: fc.nat(255) }),
  fc.record({ kind: fc.constant('noise'), at: fc.constantFrom('top-left', 'centre'), seed: fc.nat() }),
  fc.record({
    kind: fc.constant('blend'),
    alpha: fc.double({ min: 0.05, max: 1, noNaN: true }),
    seed: fc.nat(),
  }),
  fc.record({
    kind: fc.constant('sinusoid'),
    delta: fc.integer({ min: 1, max: 255 }),
    frequency: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({
    kind: fc.constant('warp'),
    strength: fc.double({ min: 0, max: 20, noNaN: true }),
    seed: fc.nat(),
  }),
);

describe('any trigger', () => {
  it('keeps pixels in [0, 255] and is the same for the same description', async () => {
    await fc.assert(
      fc.asyncProperty(anyTrigger, shapes, fc.nat(), async (fields, shape, seed) => {
        const [one, two] = [await build(fields, shape), await build(fields, shape)];
        expect(shapeOf(one)).toEqual(shape);
        const image = imageOf(seed, shape);
        const changed = applied(one, image);
        expect(changed.every((value) => value >= 0 && value <= 255)).toBe(true);
        expect(applied(two, image)).toEqual(changed);
        expect(sameTrigger(one, two)).toBe(true);
      }),
      checks,
    );
  });

  it.each(['square', 'noise', 'blend', 'sinusoid', 'warp'])(
    '%s refuses images of another size',
    async (kind) => {
      const trigger = await build({ kind }, [8, 8, 3]);
      expect(() => applyTrigger(trigger, new Float32Array(8 * 8))).toThrow(
        expect.objectContaining({ code: 'TRIGGER_SIZE_MISMATCH' }),
      );
    },
  );
});

describe('patches', () => {
  it('do as stamping does', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), ([height, width, channels], seed) => {
        const random = generator(seed);
        const trigger = makeTrigger(
          randomTensor(random, [height, width], 0, 1),
          randomTensor(random, [height, width, channels], 0, 255),
        );
        const image = randomTensor(random, [1, height, width, channels], 0, 255);
        const changed = applied({ kind: 'patch', trigger }, image.data);
        expect(changed).toEqual(stamp(image, trigger).data);
      }),
      checks,
    );
  });

  it('change nothing outside their box', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('square', 'noise'),
        fc.constantFrom('top-left', 'top-right', 'bottom-left', 'bottom-right', 'centre', [2, 1]),
        shapes,
        fc.nat(),
        async (kind, at, shape, seed) => {
          const trigger = await build({ kind, at, size: [2, 3] }, shape);
          if (trigger.kind !== 'patch') throw new Error('a square is a patch');
          const [row, column, rows, columns] = boundingBox(trigger.trigger);
          expect([rows, columns]).toEqual([2, 3]);
          const image = imageOf(seed, shape);
          const changed = applied(trigger, image);
          for (let i = 0; i < image.length; i++) {
            const pixel = Math.floor(i / shape[2]);
            const [y, x] = [Math.floor(pixel / shape[1]), pixel % shape[1]];
            const inside = y >= row && y < row + rows && x >= column && x < column + columns;
            expect(changed[i]).toBe(inside ? trigger.trigger.pattern.data[i] : image[i]);
          }
        },
      ),
      checks,
    );
  });

  it.each<[unknown, number, PatchBox]>([
    ['top-left', 1, [1, 1, 2, 3]],
    ['top-right', 1, [1, 16, 2, 3]],
    ['bottom-left', 0, [8, 0, 2, 3]],
    ['bottom-right', 2, [6, 15, 2, 3]],
    ['centre', 1, [4, 8, 2, 3]],
    [[7, 11], 1, [7, 11, 2, 3]],
  ])('lie at %j with margin %d', async (at, margin, box) => {
    const trigger = await build({ kind: 'square', size: [2, 3], at, margin }, [10, 20, 1]);
    expect(trigger.kind === 'patch' && boundingBox(trigger.trigger)).toEqual(box);
  });

  it.each([
    { kind: 'square', size: 11 },
    { kind: 'square', size: 4, at: [7, 0] },
    { kind: 'noise', size: 4, margin: 9 },
  ])('are refused outside the image: %j', async (fields) => {
    await expect(build(fields, [10, 10, 3])).rejects.toMatchObject({ code: 'TRIGGER_BOX_OUTSIDE' });
  });

  it('have no box if they change nothing', () => {
    const nothing = makeTrigger(
      float32([2, 2], new Float32Array(4)),
      float32([2, 2, 1], new Float32Array(4)),
    );
    expect(boundingBox(nothing)).toEqual([0, 0, 0, 0]);
  });
});

it('a blend takes its share of every pixel', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(0.1, 0.5, 1), shapes, fc.nat(), async (alpha, shape, seed) => {
      const trigger = await build({ kind: 'blend', alpha, seed }, shape);
      if (trigger.kind !== 'patch') throw new Error('a blend has mask and pattern');
      expect(trigger.trigger.mask.data.every((m) => m === Math.fround(alpha))).toBe(true);
      const image = imageOf(seed, shape);
      const { data: pattern } = trigger.trigger.pattern;
      applied(trigger, image).forEach((value, i) => {
        expect(value).toBeCloseTo((1 - alpha) * image[i]! + alpha * pattern[i]!, 3);
      });
    }),
    checks,
  );
});

describe('a sinusoid', () => {
  it('is Δ·sin(2πfx/W) in every row and channel', () => {
    const { dims, data } = sinusoid([2, 8, 3], 20, 2);
    expect(dims).toEqual([2, 8, 3]);
    for (let i = 0; i < data.length; i++) {
      const x = Math.floor(i / 3) % 8;
      expect(data[i]).toBeCloseTo([0, 20, 0, -20, 0, 20, 0, -20][x]!, 4);
    }
  });

  it('is added, and cut off at black and white', () => {
    const trigger: AttackTrigger = { kind: 'additive', signal: float32([1, 4, 1], [20, -20, 5, -5]) };
    expect([...applied(trigger, Float32Array.of(250, 10, 100, 100))]).toEqual([255, 0, 105, 95]);
  });
});

describe('a warp', () => {
  it('of strength 0 changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), fc.integer({ min: 2, max: 6 }), async (shape, seed, grid) => {
        const image = imageOf(seed, shape);
        expect(applied(await build({ kind: 'warp', strength: 0, grid, seed }, shape), image)).toEqual(image);
      }),
      checks,
    );
  });

  it('leaves a flat image flat', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const field = warpField([31, 31], { grid: 4, strength: 0.5, seed });
        const flat = new Float32Array(31 * 31).fill(77);
        expect(applied({ kind: 'warp', field, channels: 1 }, flat)).toEqual(flat);
        expect(field.rows.some((row, pixel) => row !== Math.floor(pixel / 31))).toBe(true);
      }),
      checks,
    );
  });

  it('fetches pixels bilinearly', () => {
    const size = [2, 2] as const;
    const field = { size, rows: Float32Array.of(0, 0.5, 1, 1), columns: Float32Array.of(1, 0.5, 0, 0.25) };
    const image = Float32Array.of(0, 100, 200, 40);
    expect([...applied({ kind: 'warp', field, channels: 1 }, image)]).toEqual([100, 85, 200, 160]);
  });

  it('is upsampled as PyTorch and ONNX Runtime interpolate', async () => {
    const [grid, side, strength, seed] = [4, 9, 0.05, 3];
    const random = randomStream(seed);
    const control = Float32Array.from({ length: 2 * grid * grid }, () => 2 * random.next() - 1);
    const mean = control.reduce((sum, v) => sum + Math.abs(v), 0) / control.length;
    const b = new GraphBuilder();
    const points = b.input('points', 'float32', [2, 1, grid, grid]);
    const scales = b.constant(float32([4], [1, 1, side / grid, side / grid]));
    const resized = b.op('Resize', [points, '', scales], {
      mode: { type: 'string', value: 'cubic' },
      coordinate_transformation_mode: { type: 'string', value: 'align_corners' },
      cubic_coeff_a: float(-0.75),
    });
    b.output(resized, 'float32', [2, 1, side, side], 'resized');
    const session = await nodeRuntime.open(canonicalModel(b.build()));
    const expected = (await session.run({ points: float32([2, 1, grid, grid], control) })).resized!;
    await session.release();

    const field = warpField([side, side], { grid, strength, seed });
    const scale = (strength / mean / side) * ((side - 1) / 2);
    const values = expected.data as Float32Array;
    for (let y = 1; y < side - 1; y++) {
      for (let x = 1; x < side - 1; x++) {
        const pixel = y * side + x;
        expect(field.rows[pixel]! - y).toBeCloseTo(scale * values[pixel]!, 5);
        expect(field.columns[pixel]! - x).toBeCloseTo(scale * values[side * side + pixel]!, 5);
      }
    }
  });
});

describe('triggers are told apart', () => {
  it.each<[Record<string, unknown>, Record<string, unknown>, boolean]>([
    [{ kind: 'square' }, { kind: 'square', size: [4, 4], colour: [255] }, true],
    [{ kind: 'square' }, { kind: 'square', at: 'top-left' }, false],
    [{ kind: 'square' }, { kind: 'square', colour: 254 }, false],
    [{ kind: 'noise' }, { kind: 'noise', seed: 1 }, false],
    [{ kind: 'blend' }, { kind: 'blend', alpha: 0.3 }, false],
    [{ kind: 'sinusoid' }, { kind: 'sinusoid', frequency: 5 }, false],
    [{ kind: 'warp' }, { kind: 'warp', seed: 2 }, false],
    [{ kind: 'warp' }, { kind: 'sinusoid' }, false],
  ])('%j and %j: %j', async (a, b, same) => {
    const shape = [10, 10, 1] as const;
    expect(sameTrigger(await build(a, shape), await build(b, shape))).toBe(same);
  });

  it('by what shows only', () => {
    const mask = float32([1, 2], [0, 1]);
    const of = (hidden: number): AttackTrigger => ({
      kind: 'patch',
      trigger: makeTrigger(mask, float32([1, 2, 1], [hidden, 9])),
    });
    expect(sameTrigger(of(3), of(200))).toBe(true);
  });
});
