import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode.ts';
import { parseNpy } from '../../src/data/npy.ts';
import { encodePng } from '../../src/data/png.ts';
import type { Raster } from '../../src/data/raster.ts';
import { readOriginalMasks, readTrigger, writeTrigger } from '../../src/data/trigger-files.ts';
import { formatOriginal, madOutliers } from '../../src/detect/outliers.ts';
import { noiseSquare, solidSquare } from '../../src/triggers/patterns.ts';
import { renderTrigger, restoreTrigger } from '../../src/triggers/render.ts';
import { l1Norm, makeTrigger, type Trigger } from '../../src/triggers/trigger.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';

const refused = (code: string, text = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(text) });

/** Every byte value, in an order that differs between rows. */
const raster = (channels: 1 | 3): Raster<Uint8Array> => ({
  height: 16,
  width: 20,
  channels,
  data: Uint8Array.from({ length: 16 * 20 * channels }, (_, i) => (i * 37) % 256),
});

/** PNG header: bit depth and colour type. */
const depthAndType = (png: Uint8Array): number[] => [png[24]!, png[25]!];

describe('PNG', () => {
  it.each([1, 3] as const)('keeps every byte of images of %i channels', async (channels) => {
    const png = encodePng(raster(channels));
    expect(depthAndType(png)).toEqual([8, channels === 1 ? 0 : 2]);
    expect(await decodeImage(png)).toEqual(raster(channels));
  });

  it('keeps RGB images RGB although all channels are equal', async () => {
    const equal = { ...raster(3), data: raster(3).data.map((_, i) => Math.floor(i / 3) % 256) };
    const png = encodePng(equal);
    expect(depthAndType(png)).toEqual([8, 2]);
    expect(await decodeImage(png)).toEqual(equal);
  });
});

describe('a folder of triggers', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'triggers-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const soft = (channels: number, seed = 1): Trigger => {
    const random = generator(seed);
    return makeTrigger(randomTensor(random, [5, 6], 0, 1), randomTensor(random, [5, 6, channels], 0, 255));
  };
  const write = (label: number, trigger: Trigger, prefix?: string): Promise<string[]> =>
    writeTrigger(folder, { label }, renderTrigger(trigger), trigger, prefix);

  it('has the names of the original, and arrays beside', async () => {
    const names = await write(33, soft(3));
    const expected = [
      'gtsrb_visualize_fusion_label_33.png',
      'gtsrb_visualize_mask_label_33.npy',
      'gtsrb_visualize_mask_label_33.png',
      'gtsrb_visualize_pattern_label_33.npy',
      'gtsrb_visualize_pattern_label_33.png',
    ];
    expect([...names].sort()).toEqual(expected);
    expect((await readdir(folder)).sort()).toEqual(expected);
    const { fusion } = renderTrigger(soft(3));
    expect(await decodeImage(await readFile(join(folder, expected[0]!)))).toEqual(fusion);
    expect(parseNpy(await readFile(join(folder, expected[1]!)))).toEqual(soft(3).mask);
  });

  it.each([1, 3])('gives back triggers of %i channels exactly', async (channels) => {
    await write(2, soft(channels));
    await write(2, soft(channels, 9));
    await write(12, noiseSquare([5, 6, channels], [1, 1, 3, 3], 4));
    expect(restoreTrigger(await readTrigger(folder, 2))).toEqual(soft(channels, 9));
    expect(restoreTrigger(await readTrigger(folder, 12))).toEqual(
      noiseSquare([5, 6, channels], [1, 1, 3, 3], 4),
    );
  });

  it('gives back triggers of the original from the pictures alone, under any prefix', async () => {
    await write(0, soft(3), 'mnist_visualize');
    for (const kind of ['mask', 'pattern']) await rm(join(folder, `mnist_visualize_${kind}_label_0.npy`));
    const stored = await readTrigger(folder, 0);
    expect(stored.arrays).toBeUndefined();
    const restored = restoreTrigger(stored);
    expect(renderTrigger(restored).pattern).toEqual(renderTrigger(soft(3)).pattern);
    expect(l1Norm(restored)).toBeCloseTo(l1Norm(soft(3)), 1);
  });

  it('gives the norms that the outlier script of the original sees', async () => {
    // Squares of 1, 4, 9, … pixels; label 3 is missing, label 10 comes after 2.
    const sizes = new Map([
      [0, 4],
      [1, 4],
      [2, 5],
      [4, 5],
      [5, 5],
      [6, 6],
      [10, 1],
    ]);
    for (const [label, size] of sizes) await write(label, solidSquare([32, 32, 3], [0, 0, size, size]));
    const norms = await readOriginalMasks(folder);
    expect(norms).toEqual(
      [...sizes].map(([label, size]) => ({ label, l1: size * size, height: 32, width: 32 })),
    );
    const lines = formatOriginal(
      madOutliers(
        norms.map((norm) => norm.l1),
        norms.map((norm) => norm.label),
      ),
    );
    // Norms 16 16 25 25 25 36 1: median 25, deviations 9 9 0 0 0 11 24, their median 9.
    expect(lines).toBe('median: 25.000000, MAD: 13.343400\nanomaly index: 1.798642\nflagged label list: ');
  });

  it('reads masks that were saved as RGB, and soft ones', async () => {
    const name = (label: number): string => join(folder, `gtsrb_visualize_mask_label_${label}.png`);
    const gray = { height: 2, width: 2, channels: 1, data: Uint8Array.of(0, 51, 102, 255) } as const;
    const rgb = {
      ...gray,
      channels: 3,
      data: Uint8Array.of(0, 0, 0, 51, 51, 51, 102, 102, 102, 255, 255, 255),
    } as const;
    await writeFile(name(0), encodePng(gray));
    await writeFile(name(1), encodePng(rgb));
    const norms = await readOriginalMasks(folder);
    expect(norms.map(({ l1 }) => l1)).toEqual([expect.closeTo(1.6, 12), expect.closeTo(1.6, 12)]);
  });

  it('ignores other files', async () => {
    await write(1, soft(3));
    await writeFile(join(folder, 'scan.json'), '{}');
    await writeFile(join(folder, 'x_mask_label_2.png.bak'), '');
    expect((await readOriginalMasks(folder)).map(({ label }) => label)).toEqual([1]);
  });

  it('is refused without masks', async () => {
    await expect(readOriginalMasks(folder)).rejects.toThrow(
      refused('TRIGGERS_NOT_FOUND', 'gtsrb_visualize_mask_label_0.png'),
    );
    await expect(readOriginalMasks(join(folder, 'nowhere'))).rejects.toThrow(
      refused('TRIGGERS_NOT_FOUND', 'cannot be read'),
    );
  });

  it('is refused without the label asked for, or without its pattern', async () => {
    await write(1, soft(3));
    await write(4, soft(3));
    await expect(readTrigger(folder, 2)).rejects.toThrow(refused('TRIGGERS_NOT_FOUND', 'labels 1, 4'));
    await rm(join(folder, 'gtsrb_visualize_pattern_label_4.png'));
    await expect(readTrigger(folder, 4)).rejects.toThrow(
      refused('TRIGGERS_NOT_FOUND', 'pattern_label_4.png'),
    );
  });

  it('is refused with two runs in it', async () => {
    await write(1, soft(3));
    await write(1, soft(3), 'other');
    const error = refused('TRIGGERS_AMBIGUOUS', 'label 1');
    await expect(readOriginalMasks(folder)).rejects.toThrow(error);
    await expect(readTrigger(folder, 1)).rejects.toThrow(error);
  });

  it('is refused with masks of different size', async () => {
    await write(1, soft(3));
    await write(2, solidSquare([7, 6, 3], [0, 0, 1, 1]));
    await expect(readOriginalMasks(folder)).rejects.toThrow(refused('TRIGGER_SIZE_MISMATCH', '6×7'));
  });

  it('is refused with a broken file, by its name', async () => {
    await write(1, soft(3));
    const mask = join(folder, 'gtsrb_visualize_mask_label_1');
    await writeFile(`${mask}.npy`, 'no array');
    await expect(readTrigger(folder, 1)).rejects.toThrow(
      refused('DATA_CORRUPT', 'mask_label_1.npy cannot be read'),
    );
    const whole = await readFile(`${mask}.png`);
    for (const bytes of ['', 'no picture', whole.subarray(0, 40), whole.subarray(0, -20)]) {
      await writeFile(`${mask}.png`, bytes);
      await expect(readOriginalMasks(folder)).rejects.toThrow(
        refused('DATA_CORRUPT', 'mask_label_1.png cannot be read'),
      );
    }
  });

  it('is refused where a folder stands in the place of a file', async () => {
    await write(1, soft(3));
    await mkdir(join(folder, 'gtsrb_visualize_mask_label_5.png'));
    await expect(readOriginalMasks(folder)).rejects.toThrow(refused('DATA_NOT_FOUND', 'label_5.png'));
  });
});
