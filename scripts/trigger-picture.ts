/**
 * A picture of a saved trigger for the documentation: mask, pattern and fusion side by side, each pixel enlarged.
 *
 *   npx tsx scripts/trigger-picture.ts RUN LABEL OUT.png
 */

import { join } from 'node:path';
import sharp from 'sharp';

const [run, label, out] = process.argv.slice(2);
if (!run || label === undefined || !out) {
  console.error('Usage: npx tsx scripts/trigger-picture.ts RUN LABEL OUT.png');
  process.exit(4);
}
const scale = 8;
const gap = 12;
const tiles = await Promise.all(
  ['mask', 'pattern', 'fusion'].map(async (part) => {
    const image = sharp(join(run, `gtsrb_visualize_${part}_label_${label}.png`));
    const { width = 0, height = 0 } = await image.metadata();
    const size = { width: width * scale, height: height * scale };
    return {
      ...size,
      input: await image
        .resize({ ...size, kernel: 'nearest' })
        .png()
        .toBuffer(),
    };
  }),
);
const width = tiles.reduce((sum, t) => sum + t.width + gap, gap);
const height = Math.max(...tiles.map((t) => t.height)) + 2 * gap;
let left = gap;
const placed = tiles.map(({ input, width: w }) => {
  const tile = { input, left, top: gap };
  left += w + gap;
  return tile;
});
await sharp({ create: { width, height, channels: 3, background: '#777777' } })
  .composite(placed)
  .png()
  .toFile(out);
