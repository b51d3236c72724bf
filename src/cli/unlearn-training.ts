/** Unlearning with its progress on stderr. */

import {
  fineTuneClean,
  type UnlearnHooks,
  type UnlearnOutcome,
  type UnlearnRequest,
  unlearn,
} from '../mitigate/unlearn.ts';
import type { UnlearnCheck } from '../mitigate/unlearn-check.ts';
import type { Model } from '../onnx/graph.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { showTraining } from './inject-progress.ts';
import { onInterrupt } from './interrupt.ts';

/** @throws NeuralCleanseError CANCELLED after Ctrl-C; as {@link unlearn} */
export const runUnlearning = (request: UnlearnRequest, threads: number): Promise<UnlearnOutcome> =>
  shown(request, threads, (hooks) => unlearn(nodeRuntime, request, hooks));

/** @throws NeuralCleanseError as {@link runUnlearning} */
export const runControl = (
  request: UnlearnRequest,
  outcome: UnlearnOutcome,
  threads: number,
): Promise<Model> => shown(request, threads, (hooks) => fineTuneClean(nodeRuntime, request, outcome, hooks));

async function shown<T>(
  { settings: { epochs } }: UnlearnRequest,
  threads: number,
  work: (hooks: UnlearnHooks) => Promise<T>,
): Promise<T> {
  let trial = false;
  const display = showTraining(process.stderr, epochs);
  const interrupt = onInterrupt((line) => display.note(line));
  try {
    return await work({
      session: { provider: 'cpu', threads },
      signal: interrupt.signal,
      onRate(rate, isTrial) {
        trial = isTrial;
        display.note(
          trial ? `Trying learning rate ${rate} for an epoch.` : `Training at learning rate ${rate}.`,
        );
      },
      onProgress: (progress) => display.running(progress),
      onEpoch({ epoch, loss, check }) {
        const name = trial ? 'trial' : `epoch ${epoch} of ${epochs}`;
        display.note(`${name}: loss ${loss.toFixed(4)}; on held-out images ${checkText(check)}`);
      },
    });
  } finally {
    display.stop();
    interrupt.dispose();
  }
}

const checkText = ({ accuracy, asr, stampedAccuracy }: UnlearnCheck): string =>
  `accuracy ${percent(accuracy)}, with triggers ${percent(stampedAccuracy)}, ASR ${percent(asr)}`;

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
