import { afterEach, describe, expect, it, vi } from 'vitest';
import { showTraining } from '../../src/cli/inject-progress.ts';

afterEach(() => vi.unstubAllEnvs());

/** A stream that keeps what is written to it, and a clock that is moved by hand. */
function setting(terminal: Record<string, unknown> = {}) {
  let [text, time] = ['', 0];
  const stream = {
    write(part: string | Uint8Array): boolean {
      text += String(part);
      return true;
    },
    ...terminal,
  };
  return {
    display: showTraining(stream, 2, () => time),
    pass(seconds: number): void {
      time += 1000 * seconds;
    },
    written(): string {
      const all = text;
      text = '';
      return all;
    },
  };
}

const progress = { epoch: 1, step: 3, steps: 10, loss: 0.51234, accuracy: 0.8, secondsLeft: 63 };
const record = { epoch: 1, loss: 0.25, accuracy: 0.9, learningRate: 1e-3 };

describe('training in a log', () => {
  it('has a line an epoch, and one every ten seconds', () => {
    const { display, pass, written } = setting();
    display.running(progress);
    pass(9.9);
    display.running(progress);
    expect(written()).toBe('');
    pass(0.1);
    display.running(progress);
    display.running(progress);
    expect(written()).toBe(
      'epoch 1 of 2, step 3 of 10: loss 0.5123, accuracy 80.00 % (10s, about 1m 03s left)\n',
    );
    display.finished({ ...record, validation: { loss: 0.3, accuracy: 0.875 } });
    expect(written()).toBe(
      'epoch 1 of 2: loss 0.2500, accuracy 90.00 %; on test images loss 0.3000, accuracy 87.50 % (10s)\n',
    );
    display.note('Stopping');
    display.stop();
    expect(written()).toBe('Stopping\n');
  });
});

describe('training on a terminal', () => {
  it('has one line that is drawn over, and lines that stay', () => {
    vi.stubEnv('TERM', 'xterm');
    const { display, pass, written } = setting({ isTTY: true, columns: 40 });
    pass(0.3);
    display.running(progress);
    expect(written()).toBe('\r\u001b[Kepoch 1 of 2, step 3 of 10: loss 0.5123');
    display.running(progress);
    expect(written()).toBe('');
    display.finished(record);
    expect(written()).toBe('\r\u001b[Kepoch 1 of 2: loss 0.2500, accuracy 90.00 % (0s)\n');
    display.stop();
    expect(written()).toBe('\r\u001b[K');
  });

  it('has lines only where the terminal is dumb', () => {
    vi.stubEnv('TERM', 'dumb');
    const { display, written } = setting({ isTTY: true, columns: 40 });
    display.finished(record);
    display.stop();
    expect(written()).not.toContain('\u001b');
  });
});
