import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signClasses } from '../../src/data/signs/catalogue.ts';
import { inkMap, inks } from '../../src/data/signs/ink-map.ts';
import { renderSign, signLabel, signSide } from '../../src/data/signs/render.ts';
import type { Split } from '../../src/data/splits.ts';
import { crc32 } from '../../src/data/zip.ts';

const classes = 43;
const pixels = (split: Split, index: number, seed = 0): Uint8Array => renderSign({ seed, split, index }).data;

describe('a rendered sign', () => {
  it('has the same bytes everywhere and always', () => {
    // Change these only when the pictures are meant to change: models in samples/ were trained on them.
    const crcs = [0, 14, 33, 1000, 19_999].map((index) => crc32(pixels('train', index)));
    expect(crcs).toEqual([341827168, 3339885021, 3597709782, 1673705069, 1612084503]);
    expect(crc32(pixels('test', 0))).toBe(2510021679);
    expect(crc32(pixels('test', 0, 1))).toBe(3711409475);
  });

  it('does not depend on what was rendered before', () => {
    const forwards = [3, 4, 5, 90].map((index) => pixels('train', index));
    const backwards = [90, 5, 4, 3].map((index) => pixels('train', index));
    expect(backwards.reverse()).toEqual(forwards);
  });

  it('is an image of 32×32 RGB bytes that are not all alike', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 24), fc.nat(2 ** 32 - 1), (index, seed) => {
        const image = renderSign({ seed, split: 'test', index });
        expect([image.height, image.width, image.channels]).toEqual([signSide, signSide, 3]);
        expect(image.data).toBeInstanceOf(Uint8Array);
        expect(image.data).toHaveLength(32 * 32 * 3);
        expect(new Set(image.data).size).toBeGreaterThan(5);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('differs between splits, seeds and indices of one class', () => {
    const images = [
      pixels('train', 5),
      pixels('test', 5),
      pixels('train', 5, 1),
      pixels('train', 5 + classes),
      pixels('train', 5, 2 ** 32 - 1),
    ];
    expect(new Set(images.map(crc32)).size).toBe(images.length);
  });

  it('is dark here and bright there over the set, and neither black nor white on the whole', () => {
    const means = Array.from({ length: 215 }, (_, i) => mean(pixels('train', i))).sort((a, b) => a - b);
    expect(means[0]).toBeLessThan(35);
    expect(means.at(-1)).toBeGreaterThan(140);
    const median = means[107]!;
    expect(median).toBeGreaterThan(50);
    expect(median).toBeLessThan(130);
  });

  it('shows no bright square where a backdoor would be stamped', () => {
    // The 4×4 pixels one pixel from the bottom-right corner, against the ring of one pixel around them.
    for (let index = 0; index < 430; index++) {
      const image = pixels('test', index);
      const inner: number[] = [];
      const around: number[] = [];
      for (let y = 26; y < 32; y++) {
        for (let x = 26; x < 32; x++) {
          const inside = x > 26 && x < 31 && y > 26 && y < 31;
          const at = (y * 32 + x) * 3;
          (inside ? inner : around).push(Math.min(image[at]!, image[at + 1]!, image[at + 2]!));
        }
      }
      expect(Math.min(...inner) - Math.max(...around), `image ${index}`).toBeLessThan(60);
    }
  });
});

const mean = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
};

describe('the classes', () => {
  it('are 43 with names of their own, in turn', () => {
    expect(new Set(signClasses.map(({ name }) => name)).size).toBe(classes);
    expect(signClasses).toHaveLength(classes);
    expect(signClasses[14]!.name).toBe('stop');
    expect(signClasses[33]!.name).toBe('turn right ahead');
    expect([0, 42, 43, 86].map(signLabel)).toEqual([0, 42, 0, 0]);
  });

  it('have artwork that differs in at least one texel of a hundred', () => {
    const maps = signClasses.map(({ layers }) => inkMap(layers));
    const plates = maps.map((map) => map.filter((ink) => ink > 0).length);
    for (const [a, first] of maps.entries()) {
      expect(Math.max(...first)).toBeLessThanOrEqual(Math.max(...Object.values(inks)));
      expect(plates[a]! / first.length).toBeGreaterThan(0.3);
      for (const second of maps.slice(a + 1)) {
        let different = 0;
        for (let i = 0; i < first.length; i++) if (first[i] !== second[i]) different++;
        expect(different).toBeGreaterThan(first.length / 100);
      }
    }
  });

  it('can be told by their mean images better than by chance, but far from always', () => {
    const means = signClasses.map((_, label) => {
      const sum = new Float64Array(3072);
      for (let k = 0; k < 20; k++) {
        const image = standardized(pixels('train', label + k * classes));
        for (let i = 0; i < sum.length; i++) sum[i]! += image[i]!;
      }
      return normalized(sum);
    });
    const count = 5 * classes;
    let right = 0;
    for (let index = 0; index < count; index++) {
      const image = standardized(pixels('test', index));
      const likeness = means.map((m) => dot(m, image));
      if (likeness.indexOf(Math.max(...likeness)) === signLabel(index)) right++;
    }
    expect(right / count).toBeGreaterThan(0.15);
    expect(right / count).toBeLessThan(0.7);
  });
});

/** Without the brightness and the contrast of the image. */
function standardized(image: Uint8Array): Float64Array {
  const middle = mean(image);
  return normalized(Float64Array.from(image, (v) => v - middle));
}

function normalized(values: Float64Array): Float64Array {
  const length = Math.sqrt(dot(values, values));
  return values.map((v) => v / length);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
