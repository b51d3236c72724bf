/** What a repair is told of a backdoor. */

import type { Trigger } from '../triggers/trigger.ts';

/** A trigger that a scan has reversed. */
export interface FlaggedTrigger {
  /** Target label. */
  readonly label: number;
  readonly trigger: Trigger;
  /** Of the trigger, on held-out images of other classes, as the scan measured it. */
  readonly asr: number;
}
