/** How much a scan has to do, before it begins. */

import type { ScanExtent } from '../detect/budget.ts';
import { sourcesOf } from '../detect/pair-sources.ts';
import { pairsOf } from '../detect/pairs.ts';
import { splitSamples } from '../detect/split.ts';
import type { RunInputs } from './build-result.ts';

/** @throws NeuralCleanseError as {@link sourcesOf}, where pairs are asked for */
export function extentOf({
  settings,
  images,
  seed,
  labels,
  classifier,
}: Pick<RunInputs, 'settings' | 'images' | 'seed' | 'labels' | 'classifier'>): Required<ScanExtent> {
  if (!settings.pairs) return { labels: labels.length, pairs: 0 };
  const { sources } = sourcesOf(images, splitSamples(images, seed), classifier.classes);
  return { labels: labels.length, pairs: pairsOf(sources, labels).length };
}
