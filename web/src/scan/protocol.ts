/** What the page and its scan worker say to each other. */

import type { GivenFile } from '../../../src/data/blob-tree.ts';
import type { ModelFormat } from '../../../src/data/model-format.ts';
import type { InversionProgress } from '../../../src/detect/inversion.ts';
import type { PreflightReport } from '../../../src/detect/preflight.ts';
import type { PresetName } from '../../../src/detect/presets.ts';
import type { Classifier } from '../../../src/model/classifier.ts';
import type { ReportContent } from '../../../src/report/html/content.ts';
import type { Picture } from '../../../src/report/html/picture.ts';
import type { LabelRecord, OwnRecord } from '../../../src/report/label-record.ts';
import type { Provider } from '../../../src/runtime/session.ts';
import type { WireError } from '../../../src/runtime/wire.ts';

/** Files that were dropped or chosen together. */
export interface Given {
  /** Tells what was given before from what was given again. */
  readonly id: number;
  /** What messages call them: a folder, or '' for loose files. */
  readonly name: string;
  readonly files: readonly GivenFile[];
}

/** What the check depends on. */
export interface CheckOptions {
  readonly seed: number;
  /** Most images to use. */
  readonly samples: number;
  readonly provider: Provider | 'auto';
  readonly threads: number;
  /** A spec; found by the preflight if empty. */
  readonly preprocess: string;
  /** Of the images, `H,W`, for models that leave it open; empty otherwise. */
  readonly size: string;
  /** Name of the output that holds the class scores, for models with several; empty otherwise. */
  readonly output: string;
}

export interface ScanOptions {
  readonly preset: PresetName;
  /** Labels and ranges of labels; all if empty. */
  readonly labels: string;
  /** Most steps of an inversion; those of the preset if left out. */
  readonly steps: number | undefined;
}

export interface ModelFacts extends Pick<Classifier, 'classes' | 'head'> {
  readonly name: string;
  readonly format: ModelFormat;
  readonly input: Pick<Classifier['input'], 'height' | 'width' | 'channels' | 'layout'>;
}

export interface ImageFacts {
  readonly source: string;
  readonly count: number;
  readonly labelled: boolean;
  readonly classNames: readonly string[] | undefined;
  readonly skipped: number;
  /** A few of them. */
  readonly pictures: readonly Picture[];
}

export interface CheckFacts {
  readonly preflight: PreflightReport;
  readonly provider: Provider;
  readonly notice: string | undefined;
  /** Why a scan would end without a verdict; empty if it would not. */
  readonly obstacles: readonly string[];
}

/** What is known of a scan before its first label. */
export interface ScanPlan {
  readonly model: string;
  readonly labels: readonly number[];
  /** How many inversions that takes; a scan may add some. */
  readonly inversions: number;
  readonly size: readonly [height: number, width: number];
  readonly classNames: readonly string[] | undefined;
  readonly provider: Provider;
  /** Updates of one inversion, where they are known beforehand. */
  readonly updates: number | undefined;
  /** Whether it survives a reload; else why not. */
  readonly notKept: string | undefined;
}

export type FoundLabel = Pick<LabelRecord, 'label' | 'start' | 'status' | 'l1' | 'asr'> & {
  readonly seconds: number;
  readonly mask: Picture | undefined;
  readonly fusion: Picture | undefined;
};

/** Of the model itself, not of one that has unlearned a trigger. */
export type OwnLabel = FoundLabel & Pick<OwnRecord, 'status'>;

export type ToScanWorker =
  | {
      readonly kind: 'check';
      readonly model: Given;
      readonly data?: Given | undefined;
      readonly options: CheckOptions;
    }
  | { readonly kind: 'start'; readonly options: ScanOptions }
  | { readonly kind: 'resume' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'save' }
  | { readonly kind: 'continue' };

/** Where an error belongs. */
export type Part = 'model' | 'images' | 'check' | 'scan';

export type FromScanWorker =
  | { readonly kind: 'model'; readonly facts: ModelFacts }
  | { readonly kind: 'images'; readonly facts: ImageFacts }
  | { readonly kind: 'checked'; readonly facts: CheckFacts }
  | { readonly kind: 'begun'; readonly plan: ScanPlan }
  | { readonly kind: 'progress'; readonly progress: InversionProgress }
  | { readonly kind: 'found'; readonly found: FoundLabel }
  | { readonly kind: 'concluding' }
  | { readonly kind: 'done'; readonly content: ReportContent }
  | { readonly kind: 'saved'; readonly name: string; readonly zip: Blob }
  | { readonly kind: 'failed'; readonly part: Part; readonly error: WireError };
