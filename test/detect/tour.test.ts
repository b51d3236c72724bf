import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { windowsOver } from '../../src/detect/tour.ts';

describe('the windows of a tour', () => {
  it('cover the image, and lie inside of it', () => {
    const edge = fc.integer({ min: 8, max: 300 });
    fc.assert(
      fc.property(edge, edge, (height, width) => {
        const windows = windowsOver(height, width);
        for (const { top, left, edge: size } of windows) {
          expect(top).toBeGreaterThanOrEqual(0);
          expect(left).toBeGreaterThanOrEqual(0);
          expect(top + size).toBeLessThanOrEqual(height);
          expect(left + size).toBeLessThanOrEqual(width);
        }
        // An oblong image has the windows of its shorter edge, so that along the other there may be gaps.
        if (Math.max(height, width) > 1.2 * Math.min(height, width)) return;
        const isCovered = (y: number, x: number): boolean =>
          windows.some(
            ({ top, left, edge: size }) => y >= top && y < top + size && x >= left && x < left + size,
          );
        for (let i = 0; i < height; i++) expect(isCovered(i, Math.floor((i * width) / height))).toBe(true);
      }),
      { seed: 5 },
    );
  });

  it('overlap, so that half of a patch of their size lies in one of them at least', () => {
    const tops = [...new Set(windowsOver(32, 32).map(({ top }) => top))];
    expect(tops).toEqual([0, 6, 12, 17, 23]);
    expect(windowsOver(32, 32)).toHaveLength(25);
    expect(windowsOver(28, 28)[24]).toEqual({ top: 20, left: 20, edge: 8 });
  });
});
