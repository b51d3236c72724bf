import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode.ts';
import { encodePng } from '../../src/data/png.ts';
import type { Raster } from '../../src/data/raster.ts';

const rasters = fc
  .record({
    height: fc.integer({ min: 1, max: 12 }),
    width: fc.integer({ min: 1, max: 12 }),
    channels: fc.constantFrom(1 as const, 3 as const),
  })
  .chain(({ height, width, channels }) => {
    const length = height * width * channels;
    // Flat and smooth rows are filtered in another way than noise.
    const data = fc.oneof(
      fc.uint8Array({ minLength: length, maxLength: length }),
      fc.integer({ min: 0, max: 9 }).map((slope) => Uint8Array.from({ length }, (_, i) => slope * i)),
    );
    return data.map((bytes): Raster<Uint8Array> => ({ height, width, channels, data: bytes }));
  });

it('encodes pictures that another decoder reads back unchanged', async () => {
  await fc.assert(
    fc.asyncProperty(rasters, async (raster) => {
      const { data, ...shape } = await decodeImage(encodePng(raster));
      expect(shape).toEqual({ height: raster.height, width: raster.width, channels: raster.channels });
      expect([...data]).toEqual([...raster.data]);
    }),
    { numRuns: 60, seed: 1 },
  );
});
