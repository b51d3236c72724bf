/** Scans models of the zoo by the command line, which sees only model and images. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ScanResult, scanResult } from '../../src/report/result.ts';
import { mnistFolder } from '../mnist.ts';
import type { ZooData, ZooModel } from './models.ts';

/** A trained model, as `zoo.json` lists it. */
export type ZooEntry = Omit<ZooModel, 'options'> & { readonly model: string; readonly planted: boolean };

/** Where images lie; `undefined`: nowhere, and models on them are left out. */
export type ZooPaths = Readonly<Record<ZooData, string | undefined>>;

export const zooPaths = ({ gtsrb, cifar10 }: { gtsrb?: string; cifar10?: string }): ZooPaths => ({
  mnist: mnistFolder,
  gtsrb,
  cifar10,
});

/** The models whose attack was planted and whose images are there. */
export const zooEntries = (zoo: string, paths: ZooPaths): ZooEntry[] =>
  (JSON.parse(readFileSync(join(zoo, 'zoo.json'), 'utf8')) as ZooEntry[]).filter(
    ({ planted, data }) => planted && paths[data] !== undefined,
  );

/**
 * The result in a run folder; what is missing of it is scanned first.
 *
 * @param options of the scan beside model and data
 * @throws Error with the last lines that the scan has printed, if it has no result
 */
export function scanEntry(
  zoo: string,
  { id, model, data }: ZooEntry,
  paths: ZooPaths,
  run: string,
  options: readonly string[],
): ScanResult {
  const file = join(run, 'scan.json');
  if (!existsSync(file)) {
    const main = join(import.meta.dirname, '../../dist/cli/main.js');
    const words = ['scan', join(zoo, model), '--data', paths[data]!, ...options];
    if (existsSync(run)) words.push('--resume');
    const { stderr } = spawnSync(
      process.execPath,
      [main, ...words, '--fail-on', 'never', '--format', 'json', '--out', run],
      { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
    );
    if (!existsSync(file)) throw new Error(`${id}: ${stderr.slice(-2000)}`);
  }
  return scanResult.parse(JSON.parse(readFileSync(file, 'utf8')));
}
