/** Triggers from descriptions, with the files that these name. */

import { readFile } from 'node:fs/promises';
import { corrupt } from '../data/bytes.ts';
import { decodeImage } from '../data/decode.ts';
import { type Channels, convertChannels, type Raster } from '../data/raster.ts';
import { readOriginalMasks, readTrigger, type StoredTrigger } from '../data/trigger-files.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { AttackTrigger } from '../triggers/attack-trigger.ts';
import { buildTrigger } from '../triggers/build.ts';
import type { ImageShape } from '../triggers/patterns.ts';
import type { TriggerSpec } from '../triggers/spec.ts';

/**
 * Makes a trigger for images of one shape.
 *
 * @param target whose trigger is taken where a folder holds several and the description does not choose
 * @throws NeuralCleanseError as {@link buildTrigger}; DATA_NOT_FOUND, DATA_CORRUPT for pictures; TRIGGERS_NOT_FOUND,
 *   TRIGGERS_AMBIGUOUS for folders
 */
export const openTrigger = (
  spec: TriggerSpec,
  image: ImageShape,
  target: number | undefined,
): Promise<AttackTrigger> =>
  buildTrigger(spec, image, {
    picture: readPicture,
    saved: (folder, label) => readSaved(folder, label, target),
  });

async function readPicture(path: string, channels: Channels): Promise<Raster<Uint8Array>> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new NeuralCleanseError('DATA_NOT_FOUND', `The picture ${path} cannot be read.`, {
      hint: 'Check the path; it is relative to the working directory.',
      data: { path },
      cause,
    });
  });
  const picture = await decodeImage(bytes).catch((cause: unknown) => {
    throw corrupt(`the picture ${path} cannot be read`, cause);
  });
  return convertChannels(picture, channels);
}

async function readSaved(
  folder: string,
  label: number | undefined,
  target: number | undefined,
): Promise<StoredTrigger> {
  if (label !== undefined) return readTrigger(folder, label);
  const labels = (await readOriginalMasks(folder)).map((mask) => mask.label);
  const [only, ...more] = labels;
  const chosen = more.length === 0 ? only : target;
  if (chosen === undefined) {
    throw new NeuralCleanseError(
      'TRIGGERS_AMBIGUOUS',
      `The folder ${folder} holds triggers of ${labels.length} labels.`,
      { hint: `Choose one, e.g. ${folder}:label=${only}.`, data: { labels } },
    );
  }
  return readTrigger(folder, chosen);
}
