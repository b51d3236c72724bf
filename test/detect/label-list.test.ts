import { expect, it } from 'vitest';
import { chooseLabels, parseLabels } from '../../src/detect/label-list.ts';

it('reads labels and ranges, each once', () => {
  expect(parseLabels('0,3, 7-9,8', 'labels')).toEqual([0, 3, 7, 8, 9]);
});

it.each(['', '3-1', 'a', '1,', '0-99999999999'])('refuses "%s"', (text) => {
  expect(() => parseLabels(text, 'The list')).toThrow(
    `The list got "${text}". It takes labels and ranges of labels, e.g. 0,3,7-9.`,
  );
});

it('takes all labels by default, and none that the model lacks', () => {
  expect(chooseLabels(undefined, 3)).toEqual([0, 1, 2]);
  expect(chooseLabels([2, 0], 3)).toEqual([2, 0]);
  expect(() => chooseLabels([1, 3], 3)).toThrow('The model has no label 3. It has 3 classes');
});
