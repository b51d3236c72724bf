/**
 * Scans the zoo and tables what is found, by attack, on the part of the models that no setting was chosen by.
 *
 *   npm run bench:detection -- [--zoo DIR] [--gtsrb gtsrb.h5] [--cifar10 cifar10.h5] [--preset fast|paper] [--only WORD,…] [--part judging|tuning] [--threads N] [--out FILE.json]
 *
 * The scan is the command line's, with its own thresholds, on test images; it sees only model and images. Truth is read
 * afterwards. Models whose network recognises less than half of the images have no verdict, and stay in every count.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { targetOf } from '../src/attack/policy.ts';
import { parseTruth } from '../src/attack/truth.ts';
import type { Rate } from '../src/attack/wilson.ts';
import type { ScanResult } from '../src/report/result.ts';
import { gradientStepsOf } from './gradient-steps.ts';
import { accused, areaUnderRoc, evidencesOf, hits, type Judged, scoreOf } from './zoo/measures.ts';
import { scanEntry, type ZooEntry, zooEntries, zooPaths } from './zoo/scan-zoo.ts';

const { values } = parseArgs({
  options: {
    zoo: { type: 'string', default: '.cache/zoo' },
    gtsrb: { type: 'string' },
    cifar10: { type: 'string' },
    preset: { type: 'string', default: 'fast' },
    only: { type: 'string', default: '' },
    part: { type: 'string' },
    threads: { type: 'string', default: '2' },
    out: { type: 'string' },
  },
});
const { zoo, preset, threads } = values;
const paths = zooPaths(values);
interface Row extends Judged, Pick<ZooEntry, 'part' | 'patch' | 'data' | 'network'> {
  /** The largest of a label, and of a planted one; 0 without any. */
  readonly evidence: { readonly any: number; readonly planted: number };
}

const words = values.only.split(',');
const entries = zooEntries(zoo, paths).filter(
  ({ id, part }) =>
    words.some((word) => id.includes(word)) && (values.part === undefined || part === values.part),
);
const rows: Row[] = [];
for (const [i, entry] of entries.entries()) {
  const row = judge(entry, scan(entry));
  rows.push(row);
  console.error(
    `${i + 1} of ${entries.length}: ${entry.id}, ${row.verdict}, flagged ${row.flagged.join(', ') || 'none'}`,
  );
}
print();
if (values.out) writeFileSync(values.out, `${JSON.stringify({ preset, threads, rows }, undefined, 2)}\n`);

function runOf(id: string): string {
  return join(zoo, `runs-${preset}`, id);
}

function scan(entry: ZooEntry): ScanResult {
  return scanEntry(zoo, entry, paths, runOf(entry.id), ['--preset', preset, '--threads', threads]);
}

function judge({ id, attack, part, patch, data, network }: ZooEntry, result: ScanResult): Row {
  const path = join(zoo, `${id}.truth.json`);
  const { backdoors } = parseTruth(readFileSync(path, 'utf8'), path);
  const bySize = result.labels.toSorted((a, b) => (b.anomalyIndex ?? -1e9) - (a.anomalyIndex ?? -1e9));
  const targets = backdoors.flatMap(({ policy }) => targetOf(policy) ?? []);
  const evidences = evidencesOf(result);
  return {
    id,
    attack,
    part,
    patch,
    data,
    network,
    targets,
    infected: backdoors.length > 0,
    score: scoreOf(result),
    evidence: {
      any: Math.max(0, ...evidences.values()),
      planted: Math.max(0, ...targets.map((target) => evidences.get(target) ?? 0)),
    },
    verdict: result.verdict,
    flagged: result.findings.map(({ label }) => label),
    // The first finding has the smallest mask; without any, the largest index comes nearest to one.
    first: result.findings[0]?.label ?? (bySize[0]?.anomalyIndex === null ? undefined : bySize[0]?.label),
    gradientSteps: result.labels.length > 0 ? gradientStepsOf(runOf(id)) : 0,
    seconds: result.timings.inversionSeconds,
  };
}

function print(): void {
  const text = (rate: Rate | undefined): string =>
    rate
      ? `${rate.count} of ${rate.total}, ${(100 * rate.share).toFixed(0)} % [${(100 * rate.low).toFixed(0)}, ${(100 * rate.high).toFixed(0)}]`
      : '–';
  const median = (numbers: readonly number[]): number =>
    numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
  const isFound = ({ verdict }: Row): boolean => verdict === 'backdoored';
  const isNoticed = ({ verdict }: Row): boolean => verdict === 'backdoored' || verdict === 'suspicious';
  const part = values.part ?? 'judging';
  const judged = rows.filter((row) => row.part === part);
  const version = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  console.log(
    `${cpus()[0]?.model.trim()}, ${threads} threads, preset ${preset}, onnxruntime-node ${version.version}, node ${process.versions.node}\n`,
  );
  console.log(
    `| ${part} part | backdoored | suspicious or backdoored | first label is a target | gradient steps, median | s of inversions, median |`,
  );
  console.log('|---|---|---|---|---:|---:|');
  const line = (name: string, models: readonly Row[]): void => {
    const cells = [isFound, isNoticed].map((rule) => text(accused(models, rule)));
    const targeted = models.filter(({ targets }) => targets.length > 0);
    cells.push(text(accused(targeted, hits)));
    cells.push(
      String(median(models.map((m) => m.gradientSteps))),
      median(models.map((m) => m.seconds)).toFixed(1),
    );
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  };
  const isWanted = ({ patch, attack }: Row): boolean =>
    patch && attack !== 'square-10' && attack !== 'triggers-3';
  for (const attack of new Set(judged.map((row) => row.attack))) {
    line(
      attack,
      judged.filter((row) => row.attack === attack),
    );
  }
  const wanted = judged.filter(isWanted);
  const clean = judged.filter(({ infected }) => !infected);
  line('**patches up to 8×8, one to three targets**', wanted);
  const scores = (models: readonly Row[]): number[] => models.map(({ score }) => score);
  console.log(
    `\nArea under the ROC curve, those patches against clean models: ${areaUnderRoc([...wanted, ...clean]).toFixed(3)}. Scores of clean models are at most ` +
      `${Math.max(...scores(clean)).toFixed(2)}, those of these patches at least ${Math.min(...scores(wanted)).toFixed(2)}.`,
  );
  printEvidence(wanted, clean);
}

/** What tells planted from natural masks, by network. */
function printEvidence(wanted: readonly Row[], clean: readonly Row[]): void {
  console.log(
    '\n| evidence of planting | clean models: largest (n) | those patches: smallest of a target (n) |',
  );
  console.log('|---|---|---|');
  const nameOf = ({ data, network }: Row): string => `${data}, ${network}`;
  for (const name of new Set([...clean, ...wanted].map(nameOf))) {
    const [innocent, infected] = [clean, wanted].map((models) =>
      models.filter((row) => nameOf(row) === name),
    );
    const most = Math.max(...innocent!.map(({ evidence }) => evidence.any));
    const least = Math.min(...infected!.map(({ evidence }) => evidence.planted));
    console.log(
      `| ${name} | ${most.toFixed(0)} (${innocent!.length}) | ${least.toFixed(0)} (${infected!.length}) |`,
    );
  }
}
