/** What a run has cost. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Gradient steps of all inversions of a run, also of those that do not count, and of the short ones of a screening. */
export const gradientStepsOf = (runFolder: string): number =>
  readFileSync(join(runFolder, 'labels.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { gradientSteps?: number }).gradientSteps ?? 0)
    .reduce((sum, steps) => sum + steps, 0);
