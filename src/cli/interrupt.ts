/** Ctrl-C and SIGTERM: the first asks the work to stop, the second ends the process. */

const signals = ['SIGINT', 'SIGTERM'] as const;

export interface Interrupt {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Gives the signals their usual effect back. */
  dispose(): void;
}

/** @param announce shows that the signal has arrived */
export function onInterrupt(announce: (line: string) => void): Interrupt {
  const controller = new AbortController();
  const dispose = (): void => {
    for (const name of signals) process.off(name, stop);
  };
  const stop = (): void => {
    dispose();
    controller.abort();
    announce('Stopping; once more ends at once.');
  };
  for (const name of signals) process.on(name, stop);
  return { signal: controller.signal, dispose };
}
