/** What to do after a scan. */

import { minLabels } from '../detect/calibration.ts';
import { withOptions } from './command-line.ts';
import type { ScanResult } from './result.ts';

export interface NextStep {
  /** A sentence. */
  readonly advice: string;
  /** Arguments of the command that does it, where one does. */
  readonly command?: readonly string[];
}

export function nextStep(result: ScanResult): NextStep {
  const step = stepAfter(result);
  // Where there was no command line, there is no command to follow.
  return step.command ? step : { advice: step.advice.replace(/:$/, '.') };
}

function stepAfter(result: ScanResult): NextStep {
  switch (result.verdict) {
    case 'backdoored':
    case 'suspicious': {
      const found = result.findings[0] ?? result.pairs!.findings[0]!;
      const { label } = found;
      const files =
        'source' in found
          ? result.pairs!.pairs.find((pair) => pair.label === label && pair.source === found.source)!.files
          : (result.labels.find((other) => other.label === label)?.files ?? []);
      const picture = files.find((name) => name.includes('fusion'));
      const look = picture === undefined ? '' : `Look at ${result.environment.runFolder}/${picture}. `;
      return {
        advice: `${look}A real trigger is found again from another seed:`,
        ...again(result, {
          '--seed': String(result.config.seed + 1),
          '--first-label': String(label),
        }),
      };
    }
    case 'no-patch-backdoor-found':
      return result.config.preset === 'fast'
        ? {
            advice: 'The slower loop of the original gives a second opinion:',
            ...again(result, { '--preset': 'paper' }),
          }
        : {
            advice: 'Another seed gives a second opinion:',
            ...again(result, { '--seed': String(result.config.seed + 1) }),
          };
    case 'inconclusive':
      return afterInconclusive(result);
  }
}

function afterInconclusive(result: ScanResult): NextStep {
  const { outliers, failed, config, model } = result;
  if (outliers === null) {
    return {
      advice:
        'State how images are prepared for this model, and check that the labels are those of its classes:',
      ...here(result, { '--preprocess': 'range=1;mean=0.5;std=0.5;order=rgb' }),
    };
  }
  if (failed.length > 0) {
    return { advice: 'Try the labels without a result again:', ...here(result, { '--resume': true }) };
  }
  if (config.labels.length < Math.min(minLabels, model.classes)) {
    return { advice: 'Scan all labels:', ...again(result, { '--labels': undefined }) };
  }
  if (model.classes < minLabels) {
    return {
      advice: `A model with fewer than ${minLabels} classes has too few masks to compare: look at the pictures in ${result.environment.runFolder}.`,
    };
  }
  return {
    advice: 'Give the inversions more steps:',
    ...again(result, { '--steps': String(2 * stepsOf(result)) }),
  };
}

function stepsOf({ config }: ScanResult): number {
  const schedule = config.settings.schedule as { readonly steps?: number } | undefined;
  return schedule?.steps ?? 1000;
}

/** The same scan with other options, in a folder of its own. */
const again = (
  { environment: { command, runFolder } }: ScanResult,
  options: Readonly<Record<string, string | undefined>>,
): Pick<NextStep, 'command'> =>
  command.length === 0
    ? {}
    : { command: withOptions(command, { '--resume': undefined, ...options, '--out': `${runFolder}-2` }) };

/** The same run with other options: in its folder, since it holds nothing yet, or with what it holds. */
const here = (
  { environment: { command } }: ScanResult,
  options: Readonly<Record<string, string | true>>,
): Pick<NextStep, 'command'> => (command.length === 0 ? {} : { command: withOptions(command, options) });
