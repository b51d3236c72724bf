import { expect, it } from 'vitest';
import type { InvertRequest } from '../../src/detect/inversion.ts';
import { presets } from '../../src/detect/presets.ts';
import { settingsFrom } from '../../src/detect/settings.ts';
import { jobId } from '../../src/queue/job.ts';
import { toJson } from '../../src/queue/json.ts';
import { inversionSettings } from '../../src/queue/settings-schema.ts';
import { payloadFrom } from '../../src/queue/tasks.ts';
import { edition as editionOf } from './support.ts';

it('inversions of pairs travel with their source, and are jobs of their own', () => {
  const request: InvertRequest = { label: 7, source: 2, start: 0, seed: 0, stage: 'finish', probe: 1 };
  expect(payloadFrom('invert', request)).toEqual(request);
  expect(() => payloadFrom('invert', { ...request, source: -1 })).toThrow(
    expect.objectContaining({ code: 'QUEUE_JOB_INVALID' }),
  );
  const { source: _source, ...ofLabel } = request;
  const idOf = (payload: InvertRequest): string =>
    jobId(editionOf, {
      inputs: { sha256: 'a' } as never,
      store: 's',
      task: 'invert',
      payload: toJson(payload),
    });
  expect(idOf(request)).not.toBe(idOf(ofLabel));
  expect(idOf(request)).not.toBe(idOf({ ...request, source: 3 }));
});

it('the settings of a scan of pairs pass, as those without do', () => {
  for (const settings of [presets.fast, settingsFrom({ preset: 'fast', samples: 1000, pairs: 40 })]) {
    expect(inversionSettings.parse(JSON.parse(JSON.stringify(settings)))).toEqual(settings);
  }
});
