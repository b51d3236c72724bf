// Small pictures in a terminal: two rows of pixels a line, as coloured half blocks, or as shades where there is no colour.
import sharp from 'sharp';

const shades = ' .:-=+*#%@';

/** Pictures of one size, side by side. `colours`: whether the terminal knows 24-bit colours. */
export async function terminalPictures(paths, { colours, gap = 4 }) {
  const pictures = await Promise.all(paths.map((path) => read(path)));
  const lines = [];
  for (let row = 0; row < pictures[0].height; row += 2) {
    lines.push(pictures.map((picture) => line(picture, row, colours)).join(' '.repeat(gap)));
  }
  return lines;
}

async function read(path) {
  const { data, info } = await sharp(path)
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const pixel = (x, y) => [0, 1, 2].map((c) => (y < info.height ? data[(y * info.width + x) * 3 + c] : 0));
  return { width: info.width, height: info.height, pixel };
}

function line({ width, pixel }, row, colours) {
  const cells = Array.from({ length: width }, (_, x) => [pixel(x, row), pixel(x, row + 1)]);
  if (!colours) {
    return cells
      .map(([above, below]) => (Math.max(...above) + Math.max(...below)) / 2)
      .map((value) => shades[Math.min(Math.floor((value / 256) * shades.length), shades.length - 1)])
      .join('');
  }
  const blocks = cells.map(([above, below]) => `\x1b[38;2;${above.join(';')}m\x1b[48;2;${below.join(';')}m▀`);
  return `${blocks.join('')}\x1b[0m`;
}
