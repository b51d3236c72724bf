/** The command line that scans one model of a batch by itself. */

import type { Command } from 'commander';
import { withOptions } from '../report/command-line.ts';

/**
 * The words of a command line without its operands.
 *
 * @param words as they were given, after the name of the command
 */
export function optionWords({ options }: Pick<Command, 'options'>, words: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < words.length && words[i] !== '--'; i++) {
    const word = words[i]!;
    if (!word.startsWith('-')) continue;
    kept.push(word);
    const takesValue = options.some(
      ({ long, short, required }) => required && (long === word || short === word),
    );
    if (takesValue) kept.push(words[++i] ?? '');
  }
  return kept;
}

/** @param words of the options of the batch */
export const modelCommand = (path: string, folder: string, words: readonly string[]): string[] => [
  'scan',
  path,
  ...withOptions(words, { '--out': folder, '--resume': undefined }),
];
