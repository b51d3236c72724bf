/** The paths that a command writes, made of the one that the user gives. */

import { basename, dirname, extname, join, resolve } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';

/** `models/net.onnx` -> `models/net` */
export const stemOf = (path: string): string => join(dirname(path), basename(path, extname(path)));

/** @param example of a name @throws NeuralCleanseError USAGE */
export function checkOnnxName(path: string, example: string): void {
  if (path.endsWith('.onnx')) return;
  throw new NeuralCleanseError('USAGE', `The output "${path}" does not end in .onnx.`, {
    hint: `Give the path of the file to write, such as ${example}.`,
  });
}

/**
 * Makes sure that no output replaces another.
 *
 * @param outputs paths by what is written there, such as `the model`; what is not written is `undefined`
 * @throws NeuralCleanseError USAGE
 */
export function checkDistinct(outputs: Readonly<Record<string, string | undefined>>): void {
  const taken = new Map<string, string>();
  for (const [what, path] of Object.entries(outputs)) {
    if (path === undefined) continue;
    const place = resolve(path);
    const other = taken.get(place);
    if (other !== undefined) {
      throw new NeuralCleanseError('USAGE', `${path} would hold both ${other} and ${what}.`, {
        hint: 'Choose another name for one of them.',
        data: { path },
      });
    }
    taken.set(place, what);
  }
}
