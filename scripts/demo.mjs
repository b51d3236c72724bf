// Scans a sample model that ships here, then shows what had been planted in it beside what the scan has found.
//
//   npm run demo [-- --digits]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { terminalPictures } from './terminal-picture.mjs';

const root = new URL('../', import.meta.url);
const at = (path) => fileURLToPath(new URL(path, root));
const name = process.argv.includes('--digits') ? 'digits' : 'signs';
const run = `.cache/demo-${name}`;
rmSync(at(run), { recursive: true, force: true });
const scan = [
  'scan',
  `samples/${name}.onnx`,
  '--data',
  `samples/${name}.npz`,
  '--out',
  run,
  '--fail-on',
  'never',
];
const { status } = spawnSync(process.execPath, [at('dist/cli/main.js'), ...scan], {
  cwd: at('.'),
  stdio: 'inherit',
});
if (status === 0) await compare();
process.exit(status ?? 1);

async function compare() {
  const { backdoors } = JSON.parse(readFileSync(at(`samples/${name}.truth.json`), 'utf8'));
  const [{ policy, asr, folder }] = backdoors;
  const picture = `gtsrb_visualize_fusion_label_${policy.target}.png`;
  const found = at(`${run}/${picture}`);
  console.log(
    `\nWhat had been planted: label ${policy.target}, by a white 4×4 square that works on ${(100 * asr.share).toFixed(1)} % of images.`,
  );
  if (existsSync(found)) {
    const planted = at(`samples/${folder}/${picture}`);
    const colours =
      Boolean(process.stdout.isTTY) &&
      !process.env.NO_COLOR &&
      /truecolor|24bit/.test(process.env.COLORTERM ?? '');
    const lines = await terminalPictures([planted, found], { colours });
    const width = lines.length * 2;
    console.log(`\n${'planted'.padEnd(width)}    found by the scan\n${lines.join('\n')}`);
  }
  console.log(`\nThe report with all pictures: ${run}/report.html`);
}
