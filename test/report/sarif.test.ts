import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { renderSarif } from '../../src/report/sarif.ts';
import { infectedNorms, ordinaryNorms, type Sample, sampleResult, stoppedResult } from './sample.ts';

const text = z.strictObject({ text: z.string().min(1) });
const level = z.enum(['none', 'note', 'warning', 'error']);
const relativeOrFileUri = z.string().refine((uri) => URL.canParse(uri, 'file:///repository/'));

/** What of SARIF 2.1.0 is used here, with the constraints that its schema and the code scanning services put on it. */
const sarif = z.strictObject({
  $schema: z.url(),
  version: z.literal('2.1.0'),
  runs: z.tuple([
    z.strictObject({
      tool: z.strictObject({
        driver: z.strictObject({
          name: z.string(),
          version: z.string(),
          semanticVersion: z.string().regex(/^\d+\.\d+\.\d+/),
          rules: z.array(
            z.strictObject({
              id: z.string(),
              name: z.string().regex(/^[A-Z]\w+$/),
              shortDescription: text,
              defaultConfiguration: z.strictObject({ level }),
            }),
          ),
        }),
      }),
      artifacts: z.array(
        z.strictObject({
          location: z.strictObject({ uri: relativeOrFileUri }),
          hashes: z.strictObject({ 'sha-256': z.string() }),
        }),
      ),
      invocations: z.tuple([
        z.strictObject({
          executionSuccessful: z.boolean(),
          startTimeUtc: z.iso.datetime(),
          toolExecutionNotifications: z.array(z.strictObject({ level, message: text })),
        }),
      ]),
      results: z.array(
        z.strictObject({
          ruleId: z.string(),
          ruleIndex: z.int().nonnegative(),
          level,
          message: text,
          locations: z.tuple([
            z.strictObject({
              physicalLocation: z.strictObject({
                artifactLocation: z.strictObject({ uri: relativeOrFileUri, index: z.literal(0) }),
              }),
            }),
          ]),
          partialFingerprints: z.record(z.string(), z.string()),
          properties: z.record(z.string(), z.json()),
        }),
      ),
      properties: z.record(z.string(), z.json()),
    }),
  ]),
});

const runOf = (sample: Sample) => sarif.parse(JSON.parse(renderSarif(sampleResult(sample)))).runs[0];

describe('SARIF', () => {
  it('has one result a flagged label, under the rule of its level', () => {
    const { results, tool, artifacts, invocations } = runOf({ norms: infectedNorms.with(12, 26) });
    expect(results.map(({ ruleId, level, properties }) => [ruleId, level, properties.label])).toEqual([
      ['backdoored-label', 'error', 33],
      ['suspicious-label', 'warning', 12],
    ]);
    for (const { ruleId, ruleIndex, level } of results) {
      expect(tool.driver.rules[ruleIndex]).toMatchObject({ id: ruleId, defaultConfiguration: { level } });
    }
    expect(results[0]!.message.text).toContain('Label 33 has a mask of 6.0 pixels');
    expect(results[0]!.partialFingerprints).toEqual({ 'modelLabel/v1': `${'ab'.repeat(32)}:33` });
    expect(artifacts[0]!.location.uri).toBe(results[0]!.locations[0].physicalLocation.artifactLocation.uri);
    expect(invocations[0]).toMatchObject({ executionSuccessful: true, toolExecutionNotifications: [] });
  });

  it('has no result where nothing was found', () => {
    expect(runOf({ norms: ordinaryNorms }).results).toEqual([]);
  });

  it('tells a scan without a verdict from one that found nothing', () => {
    const [run] = sarif.parse(JSON.parse(renderSarif(stoppedResult()))).runs;
    expect(run.invocations[0]).toMatchObject({
      executionSuccessful: false,
      toolExecutionNotifications: [{ message: { text: 'The model guesses.' } }],
    });
  });

  it.each([
    ['models/signs.onnx', 'models/signs.onnx'],
    ['my models/a#b%.onnx', 'my%20models/a%23b%25.onnx'],
    ['..\\signs.onnx', '../signs.onnx'],
    ['/srv/signs.onnx', 'file:///srv/signs.onnx'],
    ['C:\\models\\signs 1.onnx', 'file:///C:/models/signs%201.onnx'],
  ])('points to %s as %s', (model, uri) => {
    expect(runOf({ model }).artifacts[0]!.location.uri).toBe(uri);
  });
});
