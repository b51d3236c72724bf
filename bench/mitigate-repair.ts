/**
 * Repairs models whose backdoors are known, and tables what became of these. The true triggers only measure: no repair sees them.
 *
 *   npm run bench:repair -- --cases FILE.json [--runs DIR] [--threads N] [--only WORD] [--main FILE.js]
 *
 * FILE.json holds a list of {name, options}: `options` are the words of `unlearn` or `mitigate` but for --out and --threads, e.g.
 * "unlearn model.onnx --data images.h5 --trigger runs/model --true-trigger square:at=27/27 --target 33 --control".
 * Repaired models and their reports stay in the runs folder; those that are there already are only tabled. --main names a compiled
 * main.js to run in place of the sources.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Rate } from '../src/attack/wilson.ts';
import { type RepairReport, repairReport } from '../src/report/repair.ts';

interface Case {
  readonly name: string;
  readonly options: string;
}

const { values } = parseArgs({
  options: {
    cases: { type: 'string' },
    runs: { type: 'string', default: '.cache/bench-repair' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string' },
    main: { type: 'string' },
  },
});
if (!values.cases) throw new Error('Give --cases FILE.json.');
const runs = values.runs!;
mkdirSync(runs, { recursive: true });
const cases = JSON.parse(readFileSync(values.cases, 'utf8')) as Case[];
const program = values.main
  ? [values.main]
  : ['--import', 'tsx', join(import.meta.dirname, '../src/cli/main.ts')];

/** @returns `undefined` if nothing was suspect, so that nothing was written */
function repair({ name, options }: Case): RepairReport | undefined {
  const report = join(runs, `${name}.json`);
  if (!existsSync(report)) {
    const words = [...options.split(' '), '--out', join(runs, `${name}.onnx`), '--threads', values.threads!];
    const { status } = spawnSync(process.execPath, [...program, ...words, '--format', 'json'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status === null || status > 2) throw new Error(`${name} ended with exit code ${status}`);
  }
  return existsSync(report) ? repairReport.parse(JSON.parse(readFileSync(report, 'utf8'))) : undefined;
}

const percent = ({ share }: Rate): string => (100 * share).toFixed(2);
const all = (rates: readonly { readonly asr: Rate }[]): string =>
  rates.length === 0 ? '–' : rates.map(({ asr }) => percent(asr)).join(', ');
/** Of images of other classes, those that are answered as the target without any trigger: no repair can go below. */
const unstamped = (rates: readonly { readonly unstamped: Rate | null }[]): string =>
  rates.map(({ unstamped: rate }) => (rate ? percent(rate) : '–')).join(', ') || '–';
const size = ({ status, l1 }: RepairReport['inversions'][number]['before']): string =>
  status === 'censored' ? 'none' : l1.toFixed(0);

console.log(`${cpus()[0]?.model.trim()}, node ${process.versions.node}; ${values.threads} threads\n`);
console.log(
  '| model | labels | rounds | accuracy % before → after (control) | true ASR % before → after (control) | target without trigger % after | reversed ASR % after | L1 before → after | last verdict | training s |',
);
console.log('|---|---|---:|---|---|---|---|---|---:|');
for (const one of cases) {
  if (values.only && !one.name.includes(values.only)) continue;
  const report = repair(one);
  if (!report) {
    console.log(`| ${one.name} | nothing suspect | 0 | | | | | | | |`);
    continue;
  }
  const { rounds, measured, inversions, last } = report;
  const { before, after, control } = measured;
  const labels = [...new Set(rounds.flatMap(({ suspects }) => suspects.map(({ label }) => label)))];
  const accuracy = `${percent(before.accuracy)} → ${percent(after.accuracy)}${control ? ` (${percent(control.accuracy)})` : ''}`;
  const truth = `${all(before.truth)} → ${all(after.truth)}${control ? ` (${all(control.truth)})` : ''}`;
  const masks = inversions.map((pair) => `${size(pair.before)} → ${size(pair.after)}`).join(', ') || '–';
  const seconds = rounds.reduce((sum, { timings }) => sum + timings.seconds, 0);
  console.log(
    `| ${one.name} | ${labels.join(', ')} | ${rounds.length} | ${accuracy} | ${before.truth.length > 0 ? truth : '–'} | ${unstamped(before.truth.length > 0 ? after.truth : after.reversed)} | ${all(after.reversed)} | ${masks} | ${last?.verdict ?? '–'} | ${seconds.toFixed(0)} |`,
  );
}
