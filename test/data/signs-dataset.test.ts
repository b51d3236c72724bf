import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeImages } from '../../src/data/dataset.ts';
import { openDataset } from '../../src/data/files.ts';
import { encodePng } from '../../src/data/png.ts';
import { renderSign } from '../../src/data/signs/render.ts';
import { signsSource } from '../../src/data/signs/source.ts';
import { isSignsSpec, parseSignsSpec } from '../../src/data/signs/spec.ts';
import { codeOf, temporaryFolder } from './support.ts';

describe('rendered signs as a dataset', () => {
  it('open by name', async () => {
    const set = await openDataset('signs:test?count=100&seed=7');
    expect(describeImages(set)).toBe(
      '100 images 32×32×3 (NHWC, uint8, pixels in [0, 255]), 43 classes, from signs:test?count=100&seed=7',
    );
    expect(set.classNames?.[13]).toBe('yield');
    expect([...set.labels!.slice(41, 45)]).toEqual([41, 42, 0, 1]);
    const image = renderSign({ seed: 7, split: 'test', index: 60 });
    expect(set.images.slice(60 * 3072, 61 * 3072)).toEqual(image.data);
  });

  it('are the same whatever the count', async () => {
    const [few, more] = await Promise.all([
      openDataset('signs:train?count=5'),
      openDataset('signs:train?count=9'),
    ]);
    expect(more.images.slice(0, few.images.length)).toEqual(few.images);
  });

  it('have 20,000 training and 5,000 test images, as many of each class plus or minus one', () => {
    for (const [name, count] of [
      ['signs:train', 20_000],
      ['signs:test', 5_000],
    ] as const) {
      const source = signsSource(name, undefined);
      const tally = new Array<number>(43).fill(0);
      for (const label of source.labels!) tally[label]!++;
      expect(source.count).toBe(count);
      expect(Math.max(...tally) - Math.min(...tally)).toBe(1);
    }
  });

  it('of which a sample is rendered in the size and the channels of the model', async () => {
    const set = await openDataset('signs:', { limit: 43, size: [24, 20], channels: 1, classes: 43 });
    expect([set.count, set.height, set.width, set.channels]).toEqual([43, 24, 20, 1]);
    expect(new Set(set.labels).size).toBe(43);
  });

  it('are of the part that the name or the options ask for, the test part unless asked', async () => {
    const first = async (name: string, split?: 'train' | 'test') =>
      (await openDataset(name, { split })).images as Uint8Array;
    const [train, test] = [await first('signs:train?count=1'), await first('signs:test?count=1')];
    expect(train).not.toEqual(test);
    expect(await first('signs:?count=1', 'train')).toEqual(train);
    expect(await first('signs:?count=1')).toEqual(test);
    expect(await codeOf(() => first('signs:train?count=1', 'test'))).toBe('DATA_NOT_FOUND');
  });

  it('leave files of such names alone', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'signs:test.png');
    await writeFile(path, encodePng(renderSign({ seed: 0, split: 'test', index: 0 })));
    expect((await openDataset(path)).count).toBe(1);
    expect(isSignsSpec('signs')).toBe(false);
    expect(isSignsSpec('./signs:test')).toBe(false);
  });
});

describe('names of rendered signs', () => {
  it('give part, count and seed', () => {
    expect(parseSignsSpec('signs:')).toEqual({ split: undefined, count: undefined, seed: 0 });
    expect(parseSignsSpec('signs:train?seed=4294967295&count=1')).toEqual({
      split: 'train',
      count: 1,
      seed: 4294967295,
    });
  });

  it.each([
    ['signs:val', 'there is no part "val"'],
    ['signs:test?', '"" is no setting'],
    ['signs:test?cuont=5', '"cuont" is no setting'],
    ['signs:test?toString=5', '"toString" is no setting'],
    ['signs:test?count', 'count is "", not a whole number from 1 to 16777216'],
    ['signs:test?count=0', 'count is "0"'],
    ['signs:test?count=1e3', 'count is "1e3"'],
    ['signs:test?count=16777217', 'count is "16777217"'],
    ['signs:test?seed=-1', 'seed is "-1", not a whole number from 0 to 4294967295'],
    ['signs:test?seed=1=2', 'seed is "1=2"'],
    ['signs:test?seed=1&seed=2', 'seed is given twice'],
    ['signs:test?seed=1?count=2', 'more than one question mark'],
  ])('of which %s is none', async (name, reason) => {
    await expect(openDataset(name)).rejects.toMatchObject({
      code: 'DATA_SPEC_INVALID',
      message: expect.stringContaining(reason),
      hint: expect.stringMatching(/signs:train or signs:test.*count and seed/),
    });
  });
});
