/** The digits of speed limits and the letters of STOP, as lines to be drawn with a round pen. */

import { arc, join, type Point, place, type Shape, stroke } from './shapes.ts';

interface Glyph {
  readonly lines: readonly (readonly Point[])[];
  /** In parts of the height. */
  readonly width: number;
}

/** Pen positions between y = 0 (top) and y = 1. */
const glyphs: Readonly<Record<string, Glyph>> = {
  '0': { width: 0.5, lines: [oval(0.25, 0.25)] },
  '1': {
    width: 0.25,
    lines: [
      [
        [0, 0.22],
        [0.22, 0],
        [0.22, 1],
      ],
    ],
  },
  '2': {
    width: 0.5,
    lines: [[...arc(0.25, 0.26, 0.24, 0.26, 12, 25), [0.45, 0.42], [0, 1], [0.5, 1]]],
  },
  '3': { width: 0.48, lines: [arc(0.22, 0.24, 0.23, 0.24, 13, 30), arc(0.22, 0.74, 0.26, 0.26, 18, 35)] },
  '5': {
    width: 0.5,
    lines: [[[0.45, 0], [0.08, 0], [0.04, 0.46], ...arc(0.23, 0.68, 0.26, 0.32, 16, 34)]],
  },
  '6': {
    width: 0.5,
    lines: [arc(0.25, 0.7, 0.25, 0.3, 0, 24), [[0.42, 0], ...arc(0.38, 0.7, 0.38, 0.6, 16, 12)]],
  },
  '7': {
    width: 0.48,
    lines: [
      [
        [0, 0],
        [0.48, 0],
        [0.16, 1],
      ],
    ],
  },
  '8': { width: 0.5, lines: [arc(0.25, 0.24, 0.21, 0.24, 0, 24), arc(0.25, 0.74, 0.25, 0.26, 0, 24)] },
  S: {
    width: 0.46,
    lines: [[...arc(0.23, 0.25, 0.23, 0.25, 22, 6), ...arc(0.23, 0.75, 0.23, 0.25, 18, 34)]],
  },
  T: {
    width: 0.5,
    lines: [
      [
        [0, 0],
        [0.5, 0],
      ],
      [
        [0.25, 0],
        [0.25, 1],
      ],
    ],
  },
  O: { width: 0.5, lines: [oval(0.25, 0.25)] },
  P: { width: 0.46, lines: [[[0, 1], [0, 0], ...arc(0.2, 0.27, 0.26, 0.27, 18, 30), [0, 0.54]]] },
};

/** A closed oval with straight sides: [0, 2·radiusX] × [0, 1]. */
function oval(radiusX: number, radiusY: number): Point[] {
  return [
    ...arc(radiusX, radiusY, radiusX, radiusY, 12, 24),
    ...arc(radiusX, 1 - radiusY, radiusX, radiusY, 0, 12),
    [0, radiusY],
  ];
}

/**
 * A line of text around the origin.
 *
 * @param text characters 0-3, 5-8, S, T, O, P
 * @param height from the topmost to the lowest pen position
 * @param pen width of the pen in parts of the height
 */
export function lettering(text: string, height: number, pen = 0.17): Shape {
  const gap = pen * 1.75;
  const letters = [...text].map((letter) => glyphs[letter]!);
  const width = letters.reduce((sum, letter) => sum + letter.width, gap * (letters.length - 1));
  let left = -width / 2;
  const strokes = letters.flatMap((letter) => {
    const x = left;
    left += letter.width + gap;
    return letter.lines.map((line) => place(stroke(line, pen), x * height, -height / 2, height));
  });
  return join(...strokes);
}
