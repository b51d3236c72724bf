import { expect, it } from 'vitest';
import { Predictor } from '../../src/detect/predictor.ts';
import { findPatches, patchesAcross, patchesNear } from '../../src/mitigate/repair-patches.ts';
import { patchOver } from '../../src/mitigate/unlearn-variants.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomStream } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { sameTrigger } from '../../src/triggers/attack-trigger.ts';
import { solidSquare } from '../../src/triggers/patterns.ts';
import { boundingBox, makeTrigger, type Trigger } from '../../src/triggers/trigger.ts';
import { backdoored, images, preprocess, reversed, target, trueTrigger } from './models.ts';

const asPatch = (trigger: Trigger) => ({ kind: 'patch' as const, trigger });

/** Some pixels of a 4×4 square at [27, 27], in other colours. */
function sparse(): Trigger {
  const mask = new Float32Array(32 * 32);
  const pattern = new Float32Array(32 * 32 * 3);
  for (const [row, column] of [
    [26, 26],
    [27, 27],
    [28, 29],
    [29, 27],
    [30, 30],
    [28, 28],
    [27, 30],
    [30, 28],
    [29, 29],
  ] as const) {
    mask[row * 32 + column] = 1;
    pattern.set([254, 10, 40], 3 * (row * 32 + column));
  }
  return makeTrigger(float32([32, 32], mask), float32([32, 32, 3], pattern));
}

it('tries squares about as large as the trigger, in its place, and inside the image', () => {
  const patches = patchesNear(sparse());
  const boxes = patches.map(boundingBox);
  for (const [row, column, height, width] of boxes) {
    expect(height).toBe(width);
    expect([2, 3, 4, 5]).toContain(height);
    expect(Math.max(row + height, column + width)).toBeLessThanOrEqual(32);
  }
  const planted = solidSquare([32, 32, 3], [27, 27, 4, 4]);
  expect(patches.some((patch) => sameTrigger(asPatch(patch), asPatch(planted)))).toBe(true);
  const mean = solidSquare([32, 32, 3], [27, 27, 4, 4], [254, 10, 40]);
  expect(patches.some((patch) => sameTrigger(asPatch(patch), asPatch(mean)))).toBe(true);
});

it('tries larger squares all over the image, of which one covers most of any square', () => {
  const boxes = patchesAcross(sparse()).map(boundingBox);
  const covered = (top: number, left: number): number =>
    Math.max(
      ...boxes.map(([row, column, height, width]) => {
        const overlap = (at: number, from: number, length: number): number =>
          Math.max(0, Math.min(at + 3, from + length) - Math.max(at, from));
        return overlap(top, row, height) * overlap(left, column, width);
      }),
    );
  for (let top = 0; top <= 29; top++) {
    for (let left = 0; left <= 29; left++) expect(covered(top, left)).toBe(9);
  }
  for (const [row, column, height, width] of boxes) {
    expect([height, width]).toEqual([5, 5]);
    expect(Math.max(row + 5, column + 5)).toBeLessThanOrEqual(32);
  }
});

it('has none for a mask that is nowhere opaque', () => {
  const { pattern } = sparse();
  const nowhere = makeTrigger(float32([32, 32], new Float32Array(1024)), pattern);
  expect(patchesNear(nowhere)).toEqual([]);
  expect(patchesAcross(nowhere)).toEqual([]);
});

it('finds squares that a backdoor answers to, and none where there is no backdoor', async () => {
  const classifier = await prepareClassifier(nodeRuntime, backdoored());
  const predictor = await Predictor.open(nodeRuntime, classifier, preprocess);
  try {
    const set = images(200);
    const { signal } = new AbortController();
    const found = await findPatches(predictor, set, reversed, signal);
    expect(found.length).toBeGreaterThan(0);
    expect(found.every(({ label, asr }) => label === target && asr >= 0.5)).toBe(true);
    // Elsewhere a square is no more than a square.
    const elsewhere = { ...reversed, label: 1, trigger: solidSquare([8, 8, 1], [0, 0, 2, 2]) };
    expect(await findPatches(predictor, set, elsewhere, signal)).toEqual([]);
    const stopped = findPatches(predictor, set, reversed, AbortSignal.abort());
    await expect(stopped).rejects.toMatchObject({ code: 'CANCELLED' });
  } finally {
    await predictor.release();
  }
});

it('covers a part of the trigger by a patch of one level or of noise', () => {
  const levels = Array.from({ length: 60 }, (_, seed) => {
    const patch = patchOver(trueTrigger, randomStream(seed));
    const [row, column, height, width] = boundingBox(patch);
    // The square has the rows and columns 6 and 7.
    expect(row + height).toBeGreaterThan(6);
    expect(column + width).toBeGreaterThan(6);
    expect(Math.max(height, width)).toBeLessThanOrEqual(4);
    const inside = [...patch.pattern.data].filter((_, i) => patch.mask.data[i] === 1);
    expect(inside.every((level) => level >= 0 && level <= 255)).toBe(true);
    return new Set(inside).size;
  });
  const even = levels.filter((count) => count === 1).length;
  expect(even).toBeGreaterThan(20);
  expect(even).toBeLessThan(60);
});
