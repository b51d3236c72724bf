import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compactness,
  confine,
  densestWindow,
  mostCompactness,
  neededWithin,
  windowEdge,
} from '../../src/detect/confined.ts';
import { float32 } from '../../src/onnx/tensor.ts';

const mask = (height: number, width: number, opacity: (y: number, x: number) => number) =>
  float32(
    [height, width],
    Float32Array.from({ length: height * width }, (_, i) => opacity(Math.floor(i / width), i % width)),
  );

describe('a window', () => {
  it('has a quarter of the shorter edge, and a pixel more', () => {
    expect([windowEdge(28, 28), windowEdge(32, 32), windowEdge(224, 300), windowEdge(3, 9)]).toEqual([
      8, 9, 57, 2,
    ]);
  });

  it('lies where most of the mask does', () => {
    const square = mask(12, 16, (y, x) => Number(y >= 5 && y < 8 && x >= 9 && x < 12));
    expect(densestWindow(square, 3)).toEqual({ top: 5, left: 9, edge: 3 });
    expect(
      densestWindow(
        mask(12, 16, () => 0),
        4,
      ),
    ).toEqual({ top: 0, left: 0, edge: 4 });
  });

  it('holds as much of any mask as no other of its size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 42, maxLength: 42 }),
        fc.integer({ min: 1, max: 6 }),
        (values, edge) => {
          const any = float32([6, 7], Float32Array.from(values));
          const sumAt = (top: number, left: number): number => {
            let sum = 0;
            for (let y = top; y < top + edge; y++)
              for (let x = left; x < left + edge; x++) sum += any.data[y * 7 + x]!;
            return sum;
          };
          const { top, left } = densestWindow(any, edge);
          for (let y = 0; y + edge <= 6; y++)
            for (let x = 0; x + edge <= 7; x++)
              expect(sumAt(top, left)).toBeGreaterThanOrEqual(sumAt(y, x) - 1e-5);
        },
      ),
      { seed: 3 },
    );
  });

  it('leaves nothing of a mask outside, and inside something that can grow', () => {
    const confined = confine(
      mask(4, 4, (y) => y / 4),
      { top: 0, left: 2, edge: 2 },
    );
    expect([...confined].map((v) => Math.round(100 * v))).toEqual([
      0, 0, 10, 10, 0, 0, 25, 25, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });
});

describe('what a label needs within its window', () => {
  const found = (l1: number) => ({ l1, asr: 1, found: true, area: 64 });
  const failed = (asr: number) => ({ l1: 60, asr, found: false, area: 64 });

  it('is its mask, or more than the whole window if that fails', () => {
    expect(neededWithin(found(12))).toBe(12);
    expect(neededWithin(failed(0.5))).toBe(128);
    expect(neededWithin(failed(0))).toBe(6400);
  });

  it('is compact beside the easiest of the labels that were drawn', () => {
    const drawn = [[failed(0.5), failed(0.2)], [found(48), failed(0.9)], [failed(0.8)]];
    expect(compactness([found(30), found(16), failed(0.9)], drawn)).toBe(3);
    expect(compactness([found(64)], drawn)).toBe(0.75);
  });

  it('is known not to be very compact before any are drawn', () => {
    expect(mostCompactness([found(30), found(16), failed(0.9)])).toBe(16);
    for (const asr of [0.25, 0.5, 0.9])
      expect(compactness([found(16)], [[failed(asr)]])).toBeLessThanOrEqual(mostCompactness([found(16)]));
    expect(mostCompactness([failed(0.9)])).toBe(1);
    expect(mostCompactness([])).toBe(1);
  });

  it('says nothing of a mask that does not fit, or without labels to compare', () => {
    expect(compactness([failed(0.97)], [[failed(0.1)]])).toBe(1);
    expect(compactness([], [[failed(0.1)]])).toBe(1);
    expect(compactness([found(5)], [[]])).toBe(1);
  });
});
