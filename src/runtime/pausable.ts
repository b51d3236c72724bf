/** A runtime that can be held: while it is paused, no session runs a graph. */

import type { Runtime, Session } from './session.ts';

/** A gate that is open at first. */
export class Gate {
  private opened: Promise<void> = Promise.resolve();
  private open: (() => void) | undefined;

  get closed(): boolean {
    return this.open !== undefined;
  }

  close(): void {
    if (this.closed) return;
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }

  reopen(): void {
    this.open?.();
    this.open = undefined;
  }

  /** Settles once the gate is open. */
  pass(): Promise<void> {
    return this.opened;
  }
}

/** `runtime`, whose sessions wait at `gate` before every run. */
export const pausable = (runtime: Runtime, gate: Gate): Runtime => ({
  ...runtime,
  async open(model, options) {
    const session = await runtime.open(model, options);
    return {
      provider: session.provider,
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      async run(...request) {
        await gate.pass();
        return session.run(...request);
      },
      release: () => session.release(),
    } satisfies Session;
  },
});
