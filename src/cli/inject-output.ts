/** What an injection leaves: the model, what was planted in it, pictures of the triggers. */

import { createHash } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BackdoorConfig } from '../attack/backdoor-config.ts';
import type { Evaluation } from '../attack/evaluation.ts';
import type { Backdoor, PoisonPlan } from '../attack/plan.ts';
import { goalOf, targetOf } from '../attack/policy.ts';
import { stampedImages } from '../attack/stamped-images.ts';
import type { Truth } from '../attack/truth.ts';
import { type LabelledImageSet, subset } from '../data/dataset.ts';
import { encodePng } from '../data/png.ts';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { writeTrigger } from '../data/trigger-files.ts';
import type { Model } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import { renderTrigger } from '../triggers/render.ts';
import { boundingBox } from '../triggers/trigger.ts';
import { stemOf } from './output-paths.ts';

export interface OutputPaths {
  readonly model: string;
  readonly truth: string;
  /** Folder of pictures. */
  readonly triggers: string;
  /** Folder of the unfinished state. */
  readonly checkpoint: string;
}

/** `model.onnx` -> `model.onnx`, `model.truth.json`, `model.triggers`, `model.checkpoint` */
export function outputPaths(model: string): OutputPaths {
  const stem = stemOf(model);
  return {
    model,
    truth: `${stem}.truth.json`,
    triggers: `${stem}.triggers`,
    checkpoint: `${stem}.checkpoint`,
  };
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

export interface Injected {
  readonly model: Model;
  readonly test: LabelledImageSet;
  readonly evaluation: Evaluation;
  readonly plan: PoisonPlan;
  /** As described, in the order of the plan. */
  readonly described: readonly BackdoorConfig[];
  /** What the truth says of all but the model and its backdoors. */
  readonly facts: Omit<Truth, 'model' | 'accuracy' | 'backdoors'>;
}

/**
 * Writes everything; the model comes last, so that it is there only with all that belongs to it.
 *
 * @throws NeuralCleanseError FILE_NOT_WRITTEN, MODEL_TOO_LARGE
 */
export async function writeInjected(paths: OutputPaths, injected: Injected): Promise<Truth> {
  const { model, evaluation, plan, described, facts } = injected;
  await rm(paths.triggers, { recursive: true, force: true });
  for (const [i, backdoor] of plan.backdoors.entries()) {
    await writePictures(join(paths.triggers, String(i + 1)), backdoor, injected.test);
  }
  const bytes = writeModel(model);
  const truth: Truth = {
    ...facts,
    model: { name: basename(paths.model), sha256: createHash('sha256').update(bytes).digest('hex') },
    accuracy: evaluation.accuracy,
    backdoors: plan.backdoors.map((backdoor, i) => {
      const stamped = plan.stamped.filter((change) => change.backdoor === i);
      return {
        ...described[i]!,
        poisoned: stamped.filter(({ cover }) => !cover).length,
        covers: stamped.filter(({ cover }) => cover).length,
        box: backdoor.trigger.kind === 'patch' ? boundingBox(backdoor.trigger.trigger) : null,
        folder: `${basename(paths.triggers)}/${i + 1}`,
        label: backdoor.trigger.kind === 'patch' ? pictureLabel(backdoor) : null,
        ...evaluation.attacks[i]!,
      };
    }),
  };
  const text = `${JSON.stringify(truth, undefined, 2)}\n`;
  await replaceFiles([wholeFile(paths.truth, text), wholeFile(paths.model, bytes)]);
  return truth;
}

/** By which mask and pattern are named: the target; all-to-all has none, and takes 0. */
const pictureLabel = ({ policy }: Backdoor): number => targetOf(policy) ?? 0;

/** Mask and pattern of a patch, and of any trigger an image without and with it. */
async function writePictures(folder: string, backdoor: Backdoor, test: LabelledImageSet): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { trigger, policy } = backdoor;
  if (trigger.kind === 'patch') {
    await writeTrigger(
      folder,
      { label: pictureLabel(backdoor) },
      renderTrigger(trigger.trigger),
      trigger.trigger,
    );
  }
  const example = test.labels.findIndex((label) => goalOf(policy, label, test.classes) !== undefined);
  const { height, width, channels } = test;
  for (const [name, { images, range }] of Object.entries({
    'clean.png': subset(test, [example]),
    'stamped.png': stampedImages(test, [example], trigger),
  })) {
    const data = Uint8Array.from(images, (value) => Math.round((255 / range[1]) * value));
    const bytes = encodePng({ height, width, channels, data });
    await replaceFiles([wholeFile(join(folder, name), bytes)]);
  }
}
