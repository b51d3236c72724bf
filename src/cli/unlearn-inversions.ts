/** Further triggers of the labels to repair: from other starts, in worker processes, and squares. */

import type { LabelledImageSet } from '../data/dataset.ts';
import { Predictor } from '../detect/predictor.ts';
import type { FlaggedTrigger } from '../mitigate/flagged-trigger.ts';
import { type RepairScan, smallTriggers } from '../mitigate/repair.ts';
import { invertAgain, variedInversions } from '../mitigate/repair-inversions.ts';
import { findPatches } from '../mitigate/repair-patches.ts';
import { prepareClassifier } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { createPool } from '../runtime/pool.ts';
import { onInterrupt } from './interrupt.ts';
import type { ModelData } from './mitigation-inputs.ts';
import { note } from './output.ts';

export interface FurtherTriggers {
  /** Those that a scan has found. */
  readonly found: readonly FlaggedTrigger[];
  /** Inversions of each label. */
  readonly count: number;
  readonly seed: number;
  readonly threads: number;
}

/**
 * @param scan that has found them: by its sizes larger triggers are left out
 * @param images to learn from and to judge by: never those that measure the repair
 * @throws NeuralCleanseError CANCELLED after Ctrl-C; what {@link invertAgain} and {@link findPatches} throw
 */
export async function furtherTriggers(
  model: Model,
  scan: Pick<RepairScan, 'labels'>,
  { preprocess, session }: Pick<ModelData, 'preprocess' | 'session'>,
  images: LabelledImageSet,
  { found, count, seed, threads }: FurtherTriggers,
): Promise<FlaggedTrigger[]> {
  if (count === 0) return [];
  const { provider } = await nodeRuntime.choose(session.provider);
  const classifier = await prepareClassifier(nodeRuntime, model, {
    session: { provider },
    size: [images.height, images.width],
  });
  const labels = found.map(({ label }) => label);
  note(`Looking for further triggers of ${labels.length === 1 ? 'label' : 'labels'} ${labels.join(', ')}.`);
  const pool = await createPool({
    provider,
    threads,
    tasks: labels.length * count,
    shared: { classifier, images, preprocess, settings: variedInversions, seed },
  });
  const predictor = await Predictor.open(nodeRuntime, classifier, preprocess, session);
  const interrupt = onInterrupt(note);
  try {
    const inverted = await invertAgain(pool, { labels, count, seed, signal: interrupt.signal });
    const small = smallTriggers(inverted, scan);
    note(
      `Of ${labels.length * count} further inversions ${small.length} found a small trigger. Trying solid squares.`,
    );
    const patches: FlaggedTrigger[] = [];
    for (const trigger of smallTriggers(found, scan)) {
      patches.push(...(await findPatches(predictor, images, trigger, interrupt.signal)));
    }
    note(`${patches.length} solid squares near the triggers or elsewhere work, too.`);
    return [...small, ...patches];
  } finally {
    interrupt.dispose();
    await predictor.release();
    await pool.close();
  }
}
