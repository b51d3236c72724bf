/** Which labels to scan, as people write them. */

import { NeuralCleanseError } from '../errors.ts';

/** More labels than any classifier has; keeps a mistyped range from filling the memory. */
const maxLabel = 1_000_000;

/**
 * `0,3,7-9` -> 0, 3, 7, 8, 9, without repetitions.
 *
 * @param option what messages call the text
 * @throws NeuralCleanseError USAGE
 */
export function parseLabels(text: string, option: string): number[] {
  const labels = text.split(',').flatMap((part) => {
    const [, first, last = first] = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (!(from <= to && to <= maxLabel)) {
      throw new NeuralCleanseError('USAGE', `${option} got "${text}".`, {
        hint: 'It takes labels and ranges of labels, e.g. 0,3,7-9.',
      });
    }
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return [...new Set(labels)];
}

/**
 * All labels of a classifier, or those asked for.
 *
 * @throws NeuralCleanseError USAGE for one that it does not have
 */
export function chooseLabels(labels: readonly number[] | undefined, classes: number): readonly number[] {
  const outside = labels?.find((label) => label >= classes);
  if (outside !== undefined) {
    throw new NeuralCleanseError('USAGE', `The model has no label ${outside}.`, {
      hint: `It has ${classes} classes, so labels go from 0 to ${classes - 1}.`,
    });
  }
  return labels ?? Array.from({ length: classes }, (_, label) => label);
}
