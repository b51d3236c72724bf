/**
 * Compares converted Keras models with what Keras answers.
 *
 *   python bench/reference/keras_zoo.py --out DIR      every layer; once in an environment for each version of Keras
 *   python bench/reference/keras1_zoo.py --out DIR
 *   python bench/reference/keras_nets.py --out DIR     whole nets
 *   npm run bench:keras -- DIR [name,name…]
 *
 * The figure is the largest difference of any output from Keras's, relative to the largest value of that output.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openModel } from '../src/data/model-file.ts';
import { compareWithKeras, type KerasDeviation, kerasFileOf } from '../test/support/keras-reference.ts';

/** Largest difference that counts as agreement. */
const tolerance = 1e-5;

const [folder, only] = process.argv.slice(2);
if (!folder || !existsSync(folder)) {
  console.error(
    'Usage: npm run bench:keras -- DIR [name,name…], where DIR was made by bench/reference/keras_*.py',
  );
  process.exit(4);
}
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.npz'))
  .map((name) => name.slice(0, -'.npz'.length))
  .filter((name) => !only || only.split(',').some((part) => name.includes(part)))
  .sort();

console.log('| model | outputs | nodes | largest relative difference | at |\n|---|---:|---:|---:|---|');
let worst = 0;
for (const name of names) {
  const deviation = await compare(name);
  worst = Math.max(worst, deviation.largest);
  console.log(
    `| ${name} | ${deviation.outputs.length} | ${deviation.nodes} | ${deviation.largest.toExponential(1)} | ${deviation.at} |`,
  );
}
console.log(`\nLargest of ${names.length} models: ${worst.toExponential(1)}`);
process.exitCode = worst <= tolerance ? 0 : 1;

async function compare(name: string): Promise<KerasDeviation> {
  try {
    return await compareWithKeras(
      join(folder!, name),
      async () => (await openModel(kerasFileOf(join(folder!, name)))).model,
    );
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    return { outputs: [], nodes: 0, largest: Number.POSITIVE_INFINITY, at: 'not converted' };
  }
}
