/**
 * A picture of the rendered traffic signs for the documentation: the first four test images of each class, in three columns
 * of classes.
 *
 *   npx tsx scripts/signs-picture.ts
 */

import sharp from 'sharp';
import { signClasses } from '../src/data/signs/catalogue.ts';
import { renderSign, signSide } from '../src/data/signs/render.ts';

const out = new URL('../docs/img/signs.png', import.meta.url).pathname;
const examples = 4;
const blocks = 3;
const scale = 2;
/** Pixels between signs, and between columns of classes, before enlargement. */
const [gap, blockGap] = [1, 8];

const rows = Math.ceil(signClasses.length / blocks);
const pitch = signSide + gap;
const width = blocks * (examples * pitch - gap) + (blocks - 1) * blockGap;
const height = rows * pitch - gap;
const picture = new Uint8Array(width * height * 3).fill(255);

signClasses.forEach((_, label) => {
  const top = (label % rows) * pitch;
  const block = Math.floor(label / rows);
  for (let example = 0; example < examples; example++) {
    const index = label + example * signClasses.length;
    const { data } = renderSign({ seed: 0, split: 'test', index });
    const left = block * (examples * pitch - gap + blockGap) + example * pitch;
    for (let y = 0; y < signSide; y++) {
      const row = data.subarray(y * signSide * 3, (y + 1) * signSide * 3);
      picture.set(row, ((top + y) * width + left) * 3);
    }
  }
});

await sharp(picture, { raw: { width, height, channels: 3 } })
  .resize(width * scale, height * scale, { kernel: 'nearest' })
  // 256 colours keep the file small.
  .png({ palette: true, dither: 0.5, effort: 10, compressionLevel: 9 })
  .toFile(out);
