/** Scores images with a filter. */

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { describeImages } from '../data/dataset.ts';
import { openModel } from '../data/model-file.ts';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { NeuralCleanseError } from '../errors.ts';
import { filterScores } from '../mitigate/filter.ts';
import { type FilterFile, parseFilter } from '../mitigate/filter-file.ts';
import { modelPrefix } from '../model/classifier.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { ModelDataOptions } from './data-options.ts';
import { checkOutputs, type OutputOptions } from './mitigation-output.ts';
import { openModelImages } from './model-images.ts';
import { openClassifier } from './open-classifier.ts';
import { note, printReport } from './output.ts';

export interface ApplyFilterOptions extends ModelDataOptions, OutputOptions {
  readonly apply: string;
  readonly out?: string;
  readonly format: 'json' | 'csv';
}

/**
 * Prints a score and a decision for every image, and on stderr how many are rejected.
 *
 * @throws NeuralCleanseError FILTER_INVALID, and what opening the model and the images throws
 */
export async function applyFilter(path: string, options: ApplyFilterOptions): Promise<void> {
  const { apply, out } = options;
  if (out !== undefined) await checkOutputs([out], path, options);
  const filter = await readFilter(apply);
  const { model, sha256 } = await openModel(path);
  if (sha256 !== filter.model.sha256) {
    throw new NeuralCleanseError(
      'FILTER_INVALID',
      `${apply} was made for ${filter.model.name} (sha256 ${filter.model.sha256.slice(0, 12)}…), not for ${basename(path)} (${sha256.slice(0, 12)}…).`,
      { hint: 'Make a filter for this model.' },
    );
  }
  const { classifier, session } = await openClassifier(model, { ...options, output: filter.model.output });
  const images = await openModelImages(options, classifier);
  note(describeImages(images));
  const layer = { ...filter.layer, value: modelPrefix + filter.layer.tensor };
  const scores = await filterScores(
    nodeRuntime,
    classifier,
    filter.preprocess,
    { layer, detectors: filter.detectors },
    images,
    session,
  );
  const text =
    options.format === 'csv' ? scoresCsv(filter, scores) : scoresJson(filter, scores, images.source);
  if (out === undefined) printReport(text);
  else await replaceFiles([wholeFile(out, text)]);
  const rejected = scores.filter((score) => score > filter.threshold).length;
  note(
    `${rejected} of ${scores.length} images are rejected (${((100 * rejected) / scores.length).toFixed(1)} %).`,
  );
}

async function readFilter(path: string): Promise<FilterFile> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new NeuralCleanseError('FILTER_INVALID', `${path} cannot be read.`, {
      hint: 'Give the file that `neural-cleanse filter` wrote.',
      cause,
    });
  });
  return parseFilter(text, path);
}

const scoresCsv = ({ threshold }: FilterFile, scores: readonly number[]): string =>
  ['image,score,rejected', ...scores.map((score, i) => `${i},${score},${score > threshold}`), ''].join('\n');

const scoresJson = ({ threshold, fpr }: FilterFile, scores: readonly number[], source: string): string => {
  const images = scores.map((score, image) => ({ image, score, rejected: score > threshold }));
  return `${JSON.stringify({ source, threshold, fpr, images }, undefined, 2)}\n`;
};
