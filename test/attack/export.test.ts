import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, expect, it } from 'vitest';
import { exportPoisoned } from '../../src/attack/export.ts';
import { planPoison } from '../../src/attack/plan.ts';
import { openDataset } from '../../src/data/files.ts';
import { parseNpy } from '../../src/data/npy.ts';
import { trainingSet } from '../../src/train/training-set.ts';
import { dot, noisyImages, side } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-export-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(['replace', 'add'] as const)(
  'can be opened as a dataset, and lists what is poisoned (%s)',
  async (placement) => {
    const images = noisyImages(40, 4);
    const clean = trainingSet(images);
    const plan = planPoison(
      clean,
      [{ trigger: dot(2), policy: { kind: 'source-specific', target: 0, sources: [1] }, ratio: 0.1 }],
      { seed: 1, placement },
    );
    const path = join(folder, `${placement}.npz`);
    writeFileSync(path, exportPoisoned(clean, plan));
    expect(exportPoisoned(clean, plan)).toEqual(new Uint8Array(readFileSync(path)));

    const opened = await openDataset(path, { split: 'train' });
    expect(opened).toMatchObject({ height: side, width: side, channels: 1, range: [0, 255] });
    const files = unzipSync(readFileSync(path));
    const array = (name: string): number[] => [...(parseNpy(files[`${name}.npy`]!).data as Int32Array)];
    const indices = array('poisoned');
    expect(opened.count).toBe(placement === 'add' ? 40 + indices.length : 40);
    expect(array('poisoned_backdoor')).toEqual(indices.map(() => 0));
    expect(array('poisoned_cover')).toEqual(plan.stamped.map(({ cover }) => Number(cover)));
    expect(array('poisoned_from')).toEqual(plan.stamped.map(({ image }) => images.labels[image]));
    for (let i = 0; i < opened.count; i++) {
      const at = indices.indexOf(i);
      const source = at === -1 ? i : plan.stamped[at]!.image;
      const expected = images.images.slice(source * side * side, (source + 1) * side * side);
      if (at !== -1) expected[2] = 250;
      expect(opened.images.slice(i * side * side, (i + 1) * side * side)).toEqual(expected);
      expect(opened.labels![i]).toBe(at === -1 ? images.labels[i] : plan.stamped[at]!.label);
    }
  },
);
