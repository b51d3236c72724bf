/** Rendered traffic signs as a dataset, of which only the images asked for are rendered. */

import { fitTo } from '../resize.ts';
import { allocate, type ImageSource } from '../source.ts';
import { ofSplit, type Split } from '../splits.ts';
import { signClasses } from './catalogue.ts';
import { renderSign, signLabel, signSide } from './render.ts';
import { defaultCounts, parseSignsSpec } from './spec.ts';

/**
 * @param text as {@link parseSignsSpec} reads it
 * @param wanted the part to take where `text` names none
 * @throws NeuralCleanseError DATA_SPEC_INVALID, and DATA_NOT_FOUND if `text` names the other part
 */
export function signsSource(text: string, wanted: Split | undefined): ImageSource {
  const spec = parseSignsSpec(text);
  const [split] = ofSplit(spec.split ? [spec.split] : ['train', 'test'], wanted, text) as [Split];
  const count = spec.count ?? defaultCounts[split];
  return {
    source: text,
    count,
    labels: Int32Array.from({ length: count }, (_, index) => signLabel(index)),
    classes: signClasses.length,
    classNames: signClasses.map(({ name }) => name),
    async load(indices, { size = [signSide, signSide], channels = 3 }) {
      const [height, width] = size;
      const area = height * width * channels;
      const images = allocate(new Uint8Array(0), indices.length * area, text);
      indices.forEach((index, place) => {
        const image = renderSign({ seed: spec.seed, split, index });
        images.set(fitTo(image, { size, channels }).data, place * area);
      });
      return { images, height, width, channels, range: [0, 255], indices, skipped: [] };
    },
  };
}
