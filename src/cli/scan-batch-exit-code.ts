/** One exit code for many models. */

import { exitCodes } from './exit-codes.ts';

/** The worst first. */
const order: readonly number[] = [
  exitCodes.finding,
  exitCodes.usage,
  exitCodes.failed,
  exitCodes.unsupported,
  exitCodes.ok,
];

/**
 * The worst of several exit codes: 1, then 4, 2, 3, 0.
 *
 * The order is by what somebody has to do, and how soon, so that no code hides what is more urgent. A finding (1) comes
 * first: whoever blocks a release on it must not miss it because another file was damaged. Next comes what a change of the
 * command mends (4), then what another run may mend (2: failed, incomplete or inconclusive), then what only another
 * version of this program mends (3: not supported). So 3 says that every other model has the verdict that no patch backdoor
 * was found, and 0 that all have.
 */
export const worstExitCode = (codes: readonly number[]): number =>
  order.find((code) => codes.includes(code)) ?? exitCodes.ok;
