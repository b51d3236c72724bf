/**
 * Says of each exported model in a folder whether it can be scanned: the check behind docs/export.md.
 *
 *   python bench/export/torch_models.py DIR      (and the other scripts beside this one)
 *   npx tsx bench/export/inspect.ts DIR
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openModel } from '../../src/data/model-file.ts';
import { NeuralCleanseError } from '../../src/errors.ts';
import { inspectModel } from '../../src/model/inspect.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error(
    'Usage: npx tsx bench/export/inspect.ts DIR, where DIR holds what the scripts beside it export.',
  );
  process.exit(4);
}

/** For models that leave the size open: that of the networks in transformers_models.py. */
const openSize = [32, 32] as const;

async function describe(path: string): Promise<string> {
  try {
    const { model } = await openModel(path);
    const { classifier, problems } = await inspectModel(nodeRuntime, model, {
      batch: 2,
      steps: 1,
      size: openSize,
    });
    const [problem] = problems;
    if (!classifier || problem)
      return `| | | | ${problem ? `${problem.code}: ${problem.message}` : 'no classifier'} |`;
    const { input, exportedBatch, head, classes } = classifier;
    const batch = exportedBatch === undefined ? 'free' : `fixed at ${exportedBatch}, freed`;
    return `| ${input.layout} ${input.height}×${input.width}×${input.channels} | ${batch} | ${head}, ${classes} classes | yes |`;
  } catch (error) {
    if (!(error instanceof NeuralCleanseError)) throw error;
    return `| | | | ${error.code}: ${error.message} |`;
  }
}

console.log('| file | input | batch | output | can be scanned |');
console.log('|---|---|---|---|---|');
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
for (const file of files.filter((name) => /\.(onnx|h5|keras)$/.test(name)).sort()) {
  console.log(`| ${file} ${await describe(join(folder, file))}`);
}
