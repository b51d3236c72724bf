/** Parsers of option values; each error says what was given and what is accepted. */

import { readFileSync } from 'node:fs';
import { type Preprocess, parsePreprocess, preprocessFrom } from '../data/preprocess.ts';
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

/** `H,W` or one number for a square. */
export function sizeOption(text: string): [height: number, width: number] {
  const parts = text.split(/[,x]/).map(Number);
  const [height = Number.NaN, width = height] = parts;
  if (parts.length > 2 || ![height, width].every((v) => Number.isSafeInteger(v) && v > 0)) {
    throw usage('--size', text, 'HEIGHT,WIDTH in pixels, e.g. 224,224');
  }
  return [height, width];
}

/** More labels than any classifier has; keeps a mistyped range from filling the memory. */
const maxLabel = 1_000_000;

/** `0,3,7-9` -> 0, 3, 7, 8, 9, without repetitions. */
export function labelsOption(text: string): number[] {
  const wrong = usage('--labels', text, 'labels and ranges of labels, e.g. 0,3,7-9');
  const labels = text.split(',').flatMap((part) => {
    const [, first, last = first] = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (!(from <= to && to <= maxLabel)) throw wrong;
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return [...new Set(labels)];
}

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
