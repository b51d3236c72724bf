/** One inversion as a task of a worker pool. */

import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import type { Classifier } from '../model/classifier.ts';
import { defineTask, type TaskContext } from '../runtime/task.ts';
import { type Inversion, type InversionProgress, Inverter, type InvertRequest } from './invert.ts';
import type { InversionSettings } from './presets.ts';
import { splitSamples } from './split.ts';

/** What all inversions of a scan have in common. */
export interface InversionShared {
  readonly classifier: Classifier;
  readonly images: ImageSet;
  readonly preprocess: Preprocess;
  readonly settings: InversionSettings;
  /** Decides the split of the samples; each request has a seed of its own besides. */
  readonly seed: number;
}

/** Compiling takes about a second, so a worker keeps its inverter for the labels to come. */
const inverters = new WeakMap<InversionShared, Promise<Inverter>>();

export const invertTask = defineTask(
  import.meta.url,
  'invertTask',
  async (
    request: InvertRequest,
    { runtime, provider, shared, signal, report }: TaskContext<InversionProgress, InversionShared>,
  ): Promise<Inversion> => {
    let inverter = inverters.get(shared);
    if (!inverter) {
      const split = splitSamples(shared.images, shared.seed);
      inverter = Inverter.open(runtime, { ...shared, split, session: { provider } });
      inverters.set(shared, inverter);
    }
    return (await inverter).invert(request, signal, report);
  },
);
