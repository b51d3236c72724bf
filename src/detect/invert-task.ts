/** One inversion as a task of a worker pool. */

import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import type { Classifier } from '../model/classifier.ts';
import { defineTask, type TaskContext } from '../runtime/task.ts';
import type { Inversion, InversionProgress, InvertRequest } from './inversion.ts';
import { Inverter } from './invert.ts';
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
  /** Whether progress shows the mask. @default false */
  readonly previews?: boolean;
}

export const invertTask = defineTask(
  import.meta.url,
  'invertTask',
  async (
    request: InvertRequest,
    { runtime, provider, shared, signal, report, keep }: TaskContext<InversionProgress, InversionShared>,
  ): Promise<Inversion> => {
    // Compiling takes about a second, so one inverter serves all labels.
    const inverter = await keep(() => {
      const split = splitSamples(shared.images, shared.seed);
      return Inverter.open(runtime, { ...shared, split, session: { provider } });
    });
    const inversion = await inverter.invert(request, signal, (progress, trigger) =>
      report(shared.previews ? { ...progress, mask: trigger().mask.data } : progress),
    );
    if (request.stage !== 'unlearned') return inversion;
    // Brings all of training along, so that the web app loads it only now.
    const { invertUnlearned } = await import('./unlearned.ts');
    const split = splitSamples(shared.images, shared.seed);
    return invertUnlearned(
      runtime,
      { ...shared, split, session: { provider, threads: 1 } },
      inversion,
      signal,
    );
  },
);
