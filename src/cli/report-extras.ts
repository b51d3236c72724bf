/** Makes `report.json` from a run folder. */

import { cpus, release, totalmem, type } from 'node:os';
import { readTrigger } from '../data/trigger-files.ts';
import type { ReportExtras } from '../report/html/extras.ts';
import { type ExtrasSources, makeExtras } from '../report/html/make-extras.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { restoreTrigger } from '../triggers/render.ts';

/**
 * @param folder holds the triggers
 * @throws NeuralCleanseError what {@link makeExtras} and {@link readTrigger} throw
 */
export const makeFolderExtras = (
  folder: string,
  sources: Omit<ExtrasSources, 'runtime' | 'environment' | 'trigger'>,
): Promise<ReportExtras> =>
  makeExtras({
    ...sources,
    runtime: nodeRuntime,
    environment: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
      cores: cpus().length,
      memoryBytes: totalmem(),
      system: `${type()} ${release()}`,
    },
    trigger: async (label) => restoreTrigger(await readTrigger(folder, label)),
  });
