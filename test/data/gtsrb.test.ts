import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gtsrbRows, signBox } from '../../src/data/gtsrb.ts';
import { parseTable } from '../../src/data/table.ts';
import { codeOf } from './support.ts';

const rowsOf = (text: string) => gtsrbRows(parseTable(new TextEncoder().encode(text)), 'GT.csv');

const official =
  'Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n00000_00000.ppm;29;30;5;6;24;25;12\r\n';

describe('GTSRB tables', () => {
  it('read in the official form', () => {
    expect(rowsOf(official)).toEqual([
      {
        file: '00000_00000.ppm',
        label: 12,
        width: 29,
        height: 30,
        sign: { left: 5, top: 6, right: 24, bottom: 25 },
      },
    ]);
  });

  it('read in the form of the Kaggle copy', () => {
    expect(
      rowsOf('Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path\n53,54,6,5,48,49,16,Test/00000.png\n'),
    ).toEqual([
      {
        file: 'Test/00000.png',
        label: 16,
        width: 53,
        height: 54,
        sign: { left: 6, top: 5, right: 48, bottom: 49 },
      },
    ]);
  });

  it('read without classes, as the test images were first published', () => {
    expect(
      rowsOf('Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2\n0.ppm;9;9;1;1;8;8')?.[0]?.label,
    ).toBeUndefined();
  });

  it('are told from other tables', () => {
    expect(rowsOf('file,label\na.png,3\n')).toBeUndefined();
    expect(rowsOf('')).toBeUndefined();
  });

  it('are refused with a field that is no number', async () => {
    expect(await codeOf(() => rowsOf(official.replace('24;25;12', '24;;12')))).toBe('DATA_CORRUPT');
    expect(await codeOf(() => rowsOf(official.replace(';12', '')))).toBe('DATA_CORRUPT');
    expect(await codeOf(() => rowsOf(official.replace(';12', ';x')))).toBe('DATA_CORRUPT');
  });
});

describe('the sign region', () => {
  const row = rowsOf(official)![0]!;

  it('is that of the table where the image has its size', () => {
    expect(signBox(row, { width: 29, height: 30 })).toEqual(row.sign);
  });

  it('is scaled where the image was resized since', () => {
    expect(signBox(row, { width: 58, height: 60 })).toEqual({ left: 10, top: 12, right: 48, bottom: 50 });
    expect(signBox(row, { width: 32, height: 32 })).toEqual({ left: 6, top: 6, right: 26, bottom: 27 });
  });

  it('lies inside the image and holds a pixel, whatever the table says', () => {
    const sides = fc.tuple(fc.nat(400), fc.nat(400));
    const size = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(
        sides,
        sides,
        fc.nat(300),
        fc.nat(300),
        size,
        size,
        ([left, right], [top, bottom], width, height, w, h) => {
          const box = signBox(
            { file: '', label: 0, width, height, sign: { left, top, right, bottom } },
            { width: w, height: h },
          );
          expect(box.left >= 0 && box.left < box.right && box.right <= w).toBe(true);
          expect(box.top >= 0 && box.top < box.bottom && box.bottom <= h).toBe(true);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('text tables', () => {
  it.each([
    [
      'a.png,3\nb.png,4\n',
      [
        ['a.png', '3'],
        ['b.png', '4'],
      ],
    ],
    [
      'a.png;3;x\r\n\r\nb.png;4;y',
      [
        ['a.png', '3', 'x'],
        ['b.png', '4', 'y'],
      ],
    ],
    ['a.png\t3', [['a.png', '3']]],
    [
      'a.png 3\nb.png   4',
      [
        ['a.png', '3'],
        ['b.png', '4'],
      ],
    ],
    ['"a.png" , "stop"', [['a.png', 'stop']]],
    ['\uFEFFa.png,3', [['a.png', '3']]],
    ['', []],
  ])('%j', (text, rows) => {
    expect(parseTable(new TextEncoder().encode(text))).toEqual(rows);
  });
});
