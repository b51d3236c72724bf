/** Ctrl-C during a batch: whatever it is doing then, it ends in order. */

import { type Interrupt, onInterrupt } from './interrupt.ts';
import { note } from './output.ts';

export interface BatchInterrupt extends Interrupt {
  /** Lets the scan that runs show that the signal has arrived; disposing of what it returns ends that only. */
  during(announce: (line: string) => void): Interrupt;
}

export function onBatchInterrupt(): BatchInterrupt {
  const usual = (line: string): void => note(line);
  let announce = usual;
  const interrupt = onInterrupt((line) => announce(line));
  return {
    ...interrupt,
    during(show) {
      announce = show;
      const dispose = (): void => {
        announce = usual;
      };
      return { signal: interrupt.signal, dispose };
    },
  };
}
