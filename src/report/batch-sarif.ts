/** The result of a batch in SARIF: one run with an artifact and an invocation for each model. */

import { type BatchReport, countOutcomes } from './batch-result.ts';
import { whyUnscanned } from './batch-words.ts';
import { renderSarifLog, type SarifScan, sarifScan } from './sarif.ts';

export function renderBatchSarif({ batch, results }: BatchReport): string {
  const { models, tool, timings } = batch;
  const scans = models.map((model): SarifScan => {
    const result = results.get(model.path);
    return result
      ? sarifScan(result, model.path)
      : {
          path: model.path,
          sha256: undefined,
          startedAt: timings.startedAt,
          successful: false,
          notifications: [{ level: 'error', text: whyUnscanned(model) }],
          result: undefined,
        };
  });
  return renderSarifLog(tool, scans, { verdicts: Object.fromEntries(countOutcomes(models)) });
}
