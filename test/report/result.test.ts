import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { NeuralCleanseError } from '../../src/errors.ts';
import { renderJson } from '../../src/report/json.ts';
import { scanJsonSchema, scanResult, withoutTimings } from '../../src/report/result.ts';
import { sampleResult, stoppedResult } from './sample.ts';

const published = JSON.parse(readFileSync(new URL('../../docs/scan.schema.json', import.meta.url), 'utf8'));

const failed = [{ label: 43, start: 0, error: new NeuralCleanseError('LOGITS_NAN', 'The loss became NaN.') }];
const results = {
  'a finding': sampleResult({ classNames: Array.from({ length: 43 }, (_, i) => `sign ${i}`) }),
  'censored labels and a failure': sampleResult({ norms: [60, null, 65, 70, 62, 58], failed }),
  'too few labels': sampleResult({ norms: [60, 61], accuracy: null }),
  'equal norms, whose classic index is no number': sampleResult({ norms: [60, 60, 60, 60, 60, 60] }),
  'a preflight that stopped it': stoppedResult(),
};

describe.each(Object.entries(results))('a result with %s', (_, result) => {
  it('is what its JSON says', () => {
    expect(scanResult.parse(JSON.parse(renderJson(result)))).toEqual(result);
  });

  it('fits the published schema', () => {
    expect(z.fromJSONSchema(published).safeParse(JSON.parse(renderJson(result)))).toMatchObject({
      success: true,
    });
  });
});

describe('the published schema', () => {
  it('is up to date; `npm run schema` writes it', () => {
    expect(published).toEqual(scanJsonSchema());
  });

  it('refuses results with a field too many, too few or of another type', () => {
    const schema = z.fromJSONSchema(published);
    const good = results['a finding'];
    const { verdict: _verdict, ...without } = good;
    for (const wrong of [
      without,
      { ...good, extra: 1 },
      { ...good, verdict: 'clean' },
      { ...good, schemaVersion: 2 },
      { ...good, labels: [{ ...good.labels[0], l1: '6' }] },
      { ...good, labels: [{ ...good.labels[0], asr: 1.5 }] },
    ]) {
      expect(schema.safeParse(wrong).success).toBe(false);
      expect(scanResult.safeParse(wrong).success).toBe(false);
    }
  });
});

describe('withoutTimings', () => {
  it('takes away what identical runs differ in, wherever it lies, and nothing else', () => {
    const result = results['a finding'];
    const other = structuredClone(result);
    other.timings = { ...other.timings, startedAt: '2027-01-01T00:00:00.000Z', seconds: 1, resumed: 5 };
    other.environment = { ...other.environment, threads: 16, runFolder: 'elsewhere', command: [] };
    other.labels[3]!.timings.seconds = 99;
    expect(withoutTimings(other)).toEqual(withoutTimings(result));

    other.labels[3]!.l1 += 1e-9;
    expect(withoutTimings(other)).not.toEqual(withoutTimings(result));
    expect(withoutTimings({ a: [{ b: null, timings: 1 }], c: 'timings' })).toEqual({
      a: [{ b: null }],
      c: 'timings',
    });
  });
});
