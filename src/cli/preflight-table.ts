/** What the preflight found, for stderr. */

import type { PreflightReport } from '../detect/preflight.ts';
import { table } from './output.ts';

/** @param given whether the user chose the preprocessing */
export function describePreflight(
  { candidates, samples, warnings }: PreflightReport,
  given: boolean,
): string[] {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const rows = candidates.map(
    ({ preprocess, accuracy, crossEntropy, confidence, predictedClasses, samples: own }) => [
      preprocess.name,
      accuracy === null ? 'unknown' : percent(accuracy),
      crossEntropy === null ? 'unknown' : crossEntropy.toFixed(3),
      percent(confidence),
      String(predictedClasses),
      String(own),
    ],
  );
  return [
    given
      ? `Preflight on ${samples} images:`
      : `Preflight on ${samples} images; the first preprocessing is used, --preprocess states another:`,
    ...table(
      [['preprocessing', 'accuracy', 'cross entropy', 'confidence', 'classes seen', 'images'], ...rows],
      [1, 2, 3, 4, 5],
    ).map((line) => `  ${line}`),
    ...warnings.map((warning) => `Warning: ${warning}`),
  ];
}
