/**
 * Scans models through the command line and tables what it says, beside the truth where that is known.
 *
 *   npm run build && npm run bench:scan -- LIST.json [--preset fast|paper] [--runs DIR] [--out FILE.json] [--threads N]
 *
 * LIST.json: [{ "model": PATH, "data": PATH, "truth": "target 33" | "clean" | …, "target": 33?, "box": [row, column, height, width]?,
 * "labels": "0-9"?, "preprocess": SPEC? }, …], paths relative to that file. The scanner sees only model and data.
 *
 * Peak memory is that of the command and all its workers together, read from /proc ten times a second (Linux).
 */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parseNpy } from '../src/data/npy.ts';
import type { Tensor } from '../src/onnx/tensor.ts';
import type { ScanResult } from '../src/report/result.ts';
import { massInside, type PatchBox } from '../src/triggers/trigger.ts';
import { gradientStepsOf } from './gradient-steps.ts';

interface Entry {
  readonly model: string;
  readonly data: string;
  readonly truth: string;
  readonly target?: number;
  readonly box?: PatchBox;
  readonly labels?: string;
  readonly preprocess?: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    preset: { type: 'string', default: 'fast' },
    runs: { type: 'string', default: '.cache/bench-scan' },
    out: { type: 'string' },
    threads: { type: 'string', default: '2' },
  },
});
const [listFile] = positionals;
if (!listFile || !existsSync(listFile)) {
  console.error(
    'Usage: npm run bench:scan -- LIST.json [--preset fast|paper] [--runs DIR] [--out FILE.json] [--threads N]',
  );
  process.exit(4);
}
const list = JSON.parse(readFileSync(listFile, 'utf8')) as Entry[];
const main = join(import.meta.dirname, '../dist/cli/main.js');

/** Resident memory of a process and its descendants, in bytes. */
function treeMemory(root: number): number {
  const parents = new Map<number, number>();
  const memory = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      parents.set(Number(name), Number(/PPid:\s+(\d+)/.exec(status)?.[1] ?? 0));
      memory.set(Number(name), 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      // It ended meanwhile.
    }
  }
  const belongs = (pid: number): boolean =>
    pid === root || (parents.has(pid) && pid > 1 && belongs(parents.get(pid)!));
  return [...memory].filter(([pid]) => belongs(pid)).reduce((sum, [, bytes]) => sum + bytes, 0);
}

async function scan(entry: Entry) {
  const at = (path: string): string => resolve(dirname(listFile!), path);
  const runFolder = join(values.runs!, `${basename(entry.model, '.onnx')}-${values.preset}`);
  const args = [
    main,
    'scan',
    at(entry.model),
    '--data',
    at(entry.data),
    '--preset',
    values.preset!,
    '--out',
    runFolder,
  ];
  args.push('--threads', values.threads!, '--fail-on', 'never', '--format', 'json');
  if (existsSync(runFolder)) args.push('--resume');
  if (entry.labels) args.push('--labels', entry.labels);
  if (entry.preprocess) args.push('--preprocess', entry.preprocess);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-2000);
  });
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, treeMemory(child.pid!));
  }, 100);
  const code = await new Promise<number | null>((done) => child.on('close', done));
  clearInterval(watch);
  const file = join(runFolder, 'scan.json');
  if (!existsSync(file)) throw new Error(`${entry.model}: exit code ${code}\n${errors}`);
  return { entry, runFolder, peak, result: JSON.parse(readFileSync(file, 'utf8')) as ScanResult };
}

/** What concerns the label to watch: the target, or the one with the largest index. */
function row({ entry, runFolder, peak, result }: Awaited<ReturnType<typeof scan>>) {
  const worst = result.labels.reduce((a, l) => ((l.anomalyIndex ?? -9) > (a.anomalyIndex ?? -9) ? l : a));
  const mask = worst.files.find((f) => f.endsWith('.npy') && f.includes('mask'));
  const corner =
    entry.box && mask
      ? massInside({ mask: parseNpy(readFileSync(join(runFolder, mask))) as Tensor<'float32'> }, entry.box)
      : undefined;
  const others = result.labels.filter((l) => l.label !== worst.label).map((l) => l.anomalyIndex ?? 0);
  return {
    model: basename(entry.model),
    truth: entry.truth,
    verdict: result.verdict,
    label: worst.label,
    hit: entry.target === undefined ? undefined : entry.target === worst.label,
    l1: worst.l1,
    median: result.outliers?.median,
    index: worst.anomalyIndex,
    next: Math.max(...others),
    p: worst.pValue,
    classic: result.outliers?.classic?.anomalyIndex,
    asr: worst.asr,
    corner,
    labels: result.labels.length,
    gradientSteps: gradientStepsOf(runFolder),
    seconds: result.timings.seconds,
    runtimeShare: result.timings.runtimeShare,
    peakMB: peak / 1e6,
    preprocess: result.preprocess?.name,
    accuracy: result.preflight.accuracy,
  };
}

const f = (v: number | null | undefined, digits: number): string =>
  v === null || v === undefined ? '–' : v.toFixed(digits);
console.log(
  `${cpus()[0]?.model.trim()}, ${values.threads} threads, preset ${values.preset}, node ${process.versions.node}\n`,
);
console.log(
  '| model | truth | verdict | label | L1 px | median px | log index (next) | p | classic index | held-out ASR | mask in true box | labels | gradient steps | s | in ORT | peak MB |',
);
console.log('|---|---|---|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|');
const rows = [];
for (const entry of list) {
  const r = row(await scan(entry));
  rows.push(r);
  console.log(
    `| ${r.model} | ${r.truth} | ${r.verdict} | ${r.label} | ${f(r.l1, 1)} | ${f(r.median, 1)} | ${f(r.index, 2)} (${f(r.next, 2)}) | ${f(r.p, 4)} | ${f(r.classic, 2)} | ${f(r.asr, 3)} | ${f(r.corner, 2)} | ${r.labels} | ${r.gradientSteps} | ${f(r.seconds, 0)} | ${f(r.runtimeShare && 100 * r.runtimeShare, 0)} % | ${f(r.peakMB, 0)} |`,
  );
}
if (values.out) writeFileSync(values.out, JSON.stringify({ preset: values.preset, rows }, undefined, 2));
