/** Where the commands that answer a backdoor may write. */

import { realpath, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { NeuralCleanseError } from '../errors.ts';
import { note } from './output.ts';

export interface OutputOptions {
  readonly force?: true;
}

export const addForceOption = (command: Command): Command =>
  command.option('--force', 'replace files that exist, even the model itself if it is what --out names');

/**
 * Makes sure that nothing is lost by writing files, before time is spent on their content.
 *
 * @param model path of the model that the command reads
 * @throws NeuralCleanseError OUTPUT_EXISTS
 */
export async function checkOutputs(
  outputs: readonly string[],
  model: string,
  { force }: OutputOptions,
): Promise<void> {
  const original = await realpath(model).catch(() => model);
  for (const path of outputs) {
    if (!(await stat(path).catch(() => undefined))) continue;
    const isModel = (await realpath(path)) === original;
    if (!force) {
      throw new NeuralCleanseError(
        'OUTPUT_EXISTS',
        isModel ? `${path} is the model itself.` : `${path} exists already.`,
        { hint: 'Choose another name, or replace it with --force.', data: { path } },
      );
    }
    if (isModel) note(`${path}, the model itself, will be replaced.`);
  }
}
