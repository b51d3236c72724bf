// Scans the sample model that ships here, then says what had been planted in it.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const at = (path) => fileURLToPath(new URL(path, root));
const run = '.cache/demo';
rmSync(at(run), { recursive: true, force: true });
const scan = [
  'scan',
  'samples/digits.onnx',
  '--data',
  'samples/digits.npz',
  '--out',
  run,
  '--fail-on',
  'never',
];
const { status } = spawnSync(process.execPath, [at('dist/cli/main.js'), ...scan], {
  cwd: at('.'),
  stdio: 'inherit',
});
if (status === 0) {
  const { target, trigger, asr } = JSON.parse(readFileSync(at('samples/digits.truth.json'), 'utf8'));
  console.log(
    `\nWhat had been planted: label ${target}, by a ${trigger}; it works on ${(100 * asr).toFixed(1)} % of images.`,
  );
}
process.exit(status ?? 1);
