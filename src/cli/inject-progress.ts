/** Shows on stderr how far a training run is: a live line on a terminal, a line an epoch and now and then elsewhere. */

import type { EpochRecord, TrainingProgress } from '../train/train.ts';
import { duration, type Output } from './progress.ts';

export interface TrainingDisplay {
  running(progress: TrainingProgress): void;
  finished(record: EpochRecord): void;
  /** Prints a line that stays. */
  note(line: string): void;
  /** Removes what is shown only while training runs. */
  stop(): void;
}

/** Time between lines where they stay, and where one is drawn over the other. */
const [heartbeatMs, frameMs] = [10_000, 200];

export function showTraining(output: Output, epochs: number, now = () => performance.now()): TrainingDisplay {
  const live = output.isTTY === true && process.env.TERM !== 'dumb';
  const began = now();
  let last = now();
  const print = (line: string): void => {
    last = now();
    output.write(`${live ? erase : ''}${line}\n`);
  };
  return {
    running({ epoch, step, steps, loss, accuracy, secondsLeft }) {
      if (now() - last < (live ? frameMs : heartbeatMs)) return;
      const left = `about ${duration(1000 * secondsLeft)} left`;
      const line = `epoch ${epoch} of ${epochs}, step ${step} of ${steps}: ${figures({ loss, accuracy })} (${duration(now() - began)}, ${left})`;
      if (!live) print(line);
      else {
        last = now();
        output.write(`${erase}${line.slice(0, (output.columns ?? 80) - 1)}`);
      }
    },
    finished({ epoch, loss, accuracy, validation }) {
      const test = validation ? `; on test images ${figures(validation)}` : '';
      print(
        `epoch ${epoch} of ${epochs}: ${figures({ loss, accuracy })}${test} (${duration(now() - began)})`,
      );
    },
    note: print,
    stop() {
      if (live) output.write(erase);
    },
  };
}

/** Back to the start of the line, and empty it. */
const erase = '\r\u001b[K';

const figures = ({ loss, accuracy }: { loss: number; accuracy: number }): string =>
  `loss ${loss.toFixed(4)}, accuracy ${(100 * accuracy).toFixed(2)} %`;
