/** A folder with a small backdoored model, images, and the run folder of a scan of it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveModel } from '../../src/data/model-file.ts';
import type { Tensor } from '../../src/onnx/tensor.ts';
import { backdoored, images, target } from '../mitigate/models.ts';
import { saveArrays } from './corner-model.ts';
import { buildProgram, type Finished } from './program.ts';

export { target };

export interface MitigationFolder {
  readonly path: string;
  run(...args: string[]): Promise<Finished>;
  remove(): void;
}

/** With `model.onnx`, `other.onnx`, the folders `images`, `unlabelled` and `few`, and the finished run `run`. */
export async function scannedFolder(): Promise<MitigationFolder> {
  const path = mkdtempSync(join(tmpdir(), 'nc-mitigate-'));
  const program = await buildProgram();
  const run = (...args: string[]): Promise<Finished> => program.run(args, { cwd: path });
  await saveModel(join(path, 'model.onnx'), backdoored());
  await saveModel(join(path, 'other.onnx'), backdoored({ end: 'global-pool' }));
  const { images: pixels, labels } = images(240, 5);
  const array = (count: number): Tensor<'uint8'> => ({
    dtype: 'uint8',
    dims: [count, 8, 8],
    data: (pixels as Uint8Array).slice(0, count * 64),
  });
  const classes = (count: number): Tensor<'uint8'> => ({
    dtype: 'uint8',
    dims: [count],
    data: Uint8Array.from(labels.subarray(0, count)),
  });
  saveArrays(join(path, 'images'), array(240), classes(240));
  saveArrays(join(path, 'unlabelled'), array(240));
  saveArrays(join(path, 'few'), array(8), classes(8));
  const scan =
    'scan model.onnx --data images --preprocess unit --provider cpu --threads 2 --steps 150 --fail-on never --out run';
  const { code, stderr } = await run(...scan.split(' '));
  // Four labels are too few to compare: the scan is inconclusive, and flags nothing.
  if (code !== 2) throw new Error(`The scan ended with ${code}:\n${stderr}`);
  return {
    path,
    run,
    remove() {
      program.remove();
      rmSync(path, { recursive: true, force: true });
    },
  };
}
