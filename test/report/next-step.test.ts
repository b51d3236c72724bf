import { describe, expect, it } from 'vitest';
import { nextStep } from '../../src/report/next-step.ts';
import { ordinaryNorms, type Sample, sampleResult } from './sample.ts';

const step = (sample: Sample): string => {
  const { advice, command } = nextStep(sampleResult(sample));
  return command ? `${advice} ${command.join(' ')}` : advice;
};
const few = [60, 61, 62];

describe('the next step', () => {
  it.each<[string, Sample, RegExp]>([
    ['a finding: another seed', {}, /another seed: scan .* --seed 8 --first-label 33 --out runs\/signs-2$/],
    [
      'nothing found: the loop of the original',
      { norms: ordinaryNorms },
      /--preset paper --out runs\/signs-2$/,
    ],
    [
      'nothing found by that: another seed',
      { norms: ordinaryNorms, preset: 'paper' },
      /--seed 8 --out runs\/signs-2$/,
    ],
    [
      'few labels: all of them',
      { norms: few, command: ['scan', 'm.onnx', '--data', 'd', '--labels', '0-2', '--resume'] },
      /^Scan all labels: scan m\.onnx --data d --out runs\/signs-2$/,
    ],
    [
      'few classes: the pictures',
      { norms: few, classes: 3 },
      /^A model with fewer than 5 classes .* in runs\/signs\.$/,
    ],
    [
      'labels that were not reached: more steps',
      { norms: [60, null, null, 62, 64, 66, 68], classes: 7 },
      /^Give the inversions more steps: .* --steps \d+ --out runs\/signs-2$/,
    ],
    ['no command line: none', { norms: ordinaryNorms, command: [] }, /second opinion\.$/],
  ])('after %s', (_, sample, expected) => expect(step(sample)).toMatch(expected));
});
