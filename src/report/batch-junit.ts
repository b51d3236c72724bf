/** The result of a batch as JUnit XML: a suite for each model. One that could not be scanned must not pass. */

import type { BatchReport } from './batch-result.ts';
import { whyUnscanned } from './batch-words.ts';
import { renderSuites, scanSuite, suiteName, type TestSuite } from './junit.ts';

export const renderBatchJunit = ({ batch, results }: BatchReport): string =>
  renderSuites(
    batch.models.map((model): TestSuite => {
      const result = results.get(model.path);
      if (result) return scanSuite(result, model.path);
      const type = model.status === 'failed' ? model.code : model.status;
      return {
        name: suiteName(model.path),
        startedAt: batch.timings.startedAt,
        seconds: 0,
        properties: {},
        cases: [{ name: 'verdict', seconds: 0, outcome: 'error', type, lines: [whyUnscanned(model)] }],
      };
    }),
  );
