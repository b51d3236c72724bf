/** Parsers of option values; each error says what was given and what is accepted. */

import { readFileSync } from 'node:fs';
import { type Preprocess, parsePreprocess, preprocessFrom } from '../data/preprocess.ts';
import { parseSize } from '../data/raster.ts';
import { parseLabels } from '../detect/label-list.ts';
import { NeuralCleanseError } from '../errors.ts';
import { type ReportFormat, reportFormats } from '../report/formats.ts';
import { type Provider, providers } from '../runtime/session.ts';

const usage = (option: string, given: string, accepted: string): NeuralCleanseError =>
  new NeuralCleanseError('USAGE', `${option} got "${given}".`, { hint: `It takes ${accepted}.` });

/** A whole number of at least `low`. */
export const wholeNumber =
  (option: string, low = 1) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < low || text.trim() === '') {
      throw usage(option, text, `a whole number from ${low}`);
    }
    return value;
  };

/** A number above `above` and up to `most`. */
export const numberAbove =
  (option: string, above: number, most = Number.POSITIVE_INFINITY) =>
  (text: string): number => {
    const value = Number(text);
    if (!(value > above && value <= most && Number.isFinite(value))) {
      const limit = Number.isFinite(most) ? ` and up to ${most}` : '';
      throw usage(option, text, `a number above ${above}${limit}`);
    }
    return value;
  };

export function providerOption(text: string): Provider | 'auto' {
  const choices = ['auto', ...providers] as const;
  const found = choices.find((p) => p === text);
  if (!found) throw usage('--provider', text, choices.join(', '));
  return found;
}

/** As {@link parseSize} reads it. */
export const sizeOption = (text: string): [height: number, width: number] => [...parseSize(text, '--size')];

/** As {@link parseLabels} reads them. */
export const labelsOption = (text: string): number[] => parseLabels(text, '--labels');

/** `1,4`, without ranges. */
export const labelList =
  (option: string) =>
  (text: string): number[] =>
    text.split(',').map(wholeNumber(option, 0));

/** As {@link labelList}, of an option that may be given several times. */
export const repeatedLabels =
  (option: string) =>
  (text: string, labels: readonly number[] = []): number[] => [...labels, ...labelList(option)(text)];

/** The words of an option that may be given several times. */
export const repeatedWord = (word: string, words: readonly string[] = []): string[] => [...words, word];

/** `text,json` */
export function formatsOption(text: string): ReportFormat[] {
  const formats = text.split(',').map((part) => {
    const found = reportFormats.find((format) => format === part.trim());
    if (!found) throw usage('--format', text, `a list of ${reportFormats.join(', ')}`);
    return found;
  });
  return [...new Set(formats)];
}

/** A preset, a spec, or the name of a JSON file with the fields of a spec. */
export function preprocessOption(text: string): Preprocess {
  if (!text.endsWith('.json')) return parsePreprocess(text);
  let fields: unknown;
  try {
    fields = JSON.parse(readFileSync(text, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NeuralCleanseError('PREPROCESS_INVALID', `The file "${text}" cannot be read (${reason}).`, {
      hint: 'It must hold JSON such as {"range": 1, "mean": [0.5], "std": [0.5], "order": "rgb"}.',
      cause: error,
    });
  }
  return preprocessFrom(Object(fields), text);
}
