/** Results go to stdout, everything else to stderr. */

import { NeuralCleanseError } from '../errors.ts';
import type { TextStyle } from '../report/text.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';

/** Writes result lines. */
export const print = (...lines: readonly string[]): void => printReport(`${lines.join('\n')}\n`);

/** Writes a result that ends in a line feed. */
export const printReport = (text: string): void => {
  process.stdout.write(text);
};

/** Writes what is not a result: progress, notes, errors. */
export const note = (...lines: readonly string[]): void => {
  process.stderr.write(`${lines.join('\n')}\n`);
};

/** How text on stdout may look: colours on a terminal only, and not with NO_COLOR. */
export const reportStyle = (): TextStyle => ({
  color: process.stdout.isTTY && process.stdout.hasColors(),
  ...(process.stdout.isTTY && { width: Math.max(40, process.stdout.columns) }),
});

/** Prints an error as `error CODE: message` and sets the exit code. A stack is shown only for faults of this program. */
export function fail(error: unknown): void {
  if (error instanceof NeuralCleanseError) {
    note(`error ${error.code}: ${error.message}`);
    process.exitCode = exitCodeOf(error.code);
    return;
  }
  note(`error INTERNAL: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = exitCodes.failed;
}

/** Columns padded to the width of their widest cell. */
export function table(rows: readonly (readonly string[])[], alignRight: readonly number[] = []): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => (alignRight.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}
