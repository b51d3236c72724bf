import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shellText, withOptions } from '../../src/report/command-line.ts';

describe('shellText', () => {
  it('leaves plain words as they are', () => {
    expect(shellText(['scan', 'models/a-1.onnx', '--labels', '0,3,7-9'])).toBe(
      'scan models/a-1.onnx --labels 0,3,7-9',
    );
  });

  it('is read by a shell as the same words', () => {
    const word = fc.string({ unit: fc.constantFrom(...`ab '"\\$\`!*?~;&|<>(){}[]#=\n\t-é`) });
    const words = fc.array(fc.array(word, { minLength: 1, maxLength: 5 }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(words, (lists) => {
        // One shell for all lists; each word ends in a NUL byte.
        const script = lists.map((list) => `printf '%s\\0' ${shellText(list)}`).join('\n');
        const output = execFileSync('sh', ['-c', script], { encoding: 'utf8' });
        expect(output.split('\0').slice(0, -1)).toEqual(lists.flat());
      }),
      { seed: 5, numRuns: 10 },
    );
  });
});

describe('withOptions', () => {
  const words = ['scan', 'm.onnx', '--seed', '3', '--resume', '--out=a', '--data', 'd'];

  it('replaces and adds values and flags', () => {
    expect(withOptions(words, { '--seed': '4', '--out': 'b', '--resume': true })).toEqual(
      'scan m.onnx --data d --seed 4 --out b --resume'.split(' '),
    );
    expect(withOptions(['scan'], { '--resume': true })).toEqual(['scan', '--resume']);
  });

  it('removes what is undefined', () => {
    expect(withOptions(words, { '--seed': undefined, '--resume': undefined, '--labels': undefined })).toEqual(
      'scan m.onnx --out=a --data d'.split(' '),
    );
  });
});
