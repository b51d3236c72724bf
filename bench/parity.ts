/**
 * Compares gradients of whole torchvision nets with PyTorch autograd in float64.
 *
 *   python bench/reference/torch_references.py --out DIR      (once; needs bench/reference/requirements.txt)
 *   npm run bench:parity -- DIR [net,net…]
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareWithReference, type Deviation } from '../test/support/reference.ts';

const [folder, only] = process.argv.slice(2);
if (!folder || !existsSync(folder)) {
  console.error(
    'Usage: npm run bench:parity -- DIR [net,net…], where DIR was made by bench/reference/torch_references.py',
  );
  process.exit(4);
}
const { versions } = JSON.parse(readFileSync(join(folder, 'versions.json'), 'utf8')) as {
  versions: Record<string, string>;
};
const nets = readdirSync(folder, { withFileTypes: true })
  .filter((e) => e.isDirectory() && existsSync(join(folder, e.name, 'reference.npz')))
  .map((e) => e.name)
  .filter((name) => !only || only.split(',').includes(name));

const ort = JSON.parse(
  readFileSync(new URL('../node_modules/onnxruntime-node/package.json', import.meta.url), 'utf8'),
) as { version: string };
console.log(
  `Reference: torch ${versions.torch}, torchvision ${versions.torchvision}, float64. Ours: onnxruntime-node ${ort.version}, CPU, float32.\n`,
);
console.log(
  '| net | weight tensors | logits | input gradient | weight gradients | worst tensor | PyTorch float32, input |',
);
console.log('|---|---:|---:|---:|---:|---:|---:|');
const results: Record<string, Deviation> = {};
const e = (v: number | undefined): string => (v === undefined ? '' : v.toExponential(1));
for (const net of nets) {
  const d = await compareWithReference(join(folder, net), { threads: 2 });
  results[net] = d;
  console.log(
    `| ${net} | ${d.tensors} | ${e(d.logits)} | ${e(d.input)} | ${e(d.weights)} | ${e(d.worstWeight.error)} | ${e(d.torchFloat32)} |`,
  );
}
writeFileSync(
  join(folder, 'parity.json'),
  JSON.stringify({ versions, ort: ort.version, results }, undefined, 2),
);
const worst = Math.max(...Object.values(results).flatMap((d) => [d.input, d.weights]));
console.log(`\nLargest relative L2 error of an input or weight gradient: ${e(worst)}`);
process.exitCode = worst <= 1e-4 ? 0 : 1;
