/** What the app shows. */

import type { ReportContent } from '../../src/report/html/content.ts';
import type { ServedRun } from '../../src/report/served-runs.ts';
import type { ShownError } from './errors.ts';
import { defaultThreads } from './isolation.ts';
import type { LiveScan } from './live-scan.ts';
import type { KeptRun } from './scan/kept-run.ts';
import type {
  CheckFacts,
  CheckOptions,
  Given,
  ImageFacts,
  ModelFacts,
  Part,
  ScanOptions,
} from './scan/protocol.ts';

export interface OpenReport {
  readonly content: ReportContent;
  /** Whether it is of the kept run, whose files can be saved. */
  readonly kept: boolean;
  /** Whether it grows as another process scans. */
  readonly growing?: boolean;
}

export interface SessionState {
  readonly screen: 'prepare' | 'scan' | 'report';
  readonly model: Given | undefined;
  readonly data: Given | undefined;
  readonly modelFacts: ModelFacts | undefined;
  readonly imageFacts: ImageFacts | undefined;
  readonly checkFacts: CheckFacts | undefined;
  /** What is being done before a scan can start. */
  readonly busy: 'model' | 'images' | 'check' | undefined;
  readonly errors: Readonly<Partial<Record<Part | 'open', ShownError>>>;
  readonly check: CheckOptions;
  readonly scan: ScanOptions;
  readonly live: LiveScan | undefined;
  readonly report: OpenReport | undefined;
  readonly kept: KeptRun | undefined;
  /** Absent where the server of the page serves files only. */
  readonly served: readonly ServedRun[] | undefined;
}

export const freshState: SessionState = {
  screen: 'prepare',
  model: undefined,
  data: undefined,
  modelFacts: undefined,
  imageFacts: undefined,
  checkFacts: undefined,
  busy: undefined,
  errors: {},
  check: {
    seed: 0,
    samples: 1000,
    provider: 'auto',
    threads: defaultThreads(),
    preprocess: '',
    size: '',
    output: '',
  },
  scan: { preset: 'fast', labels: '', steps: undefined },
  live: undefined,
  report: undefined,
  kept: undefined,
  served: undefined,
};
