import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NeuralCleanseError } from '../../src/errors.ts';
import { renderBatch } from '../../src/report/batch-formats.ts';
import { failedModel, scannedModel } from '../../src/report/batch-model.ts';
import { type BatchModel, batchResult, compareRisk, outcomeOf } from '../../src/report/batch-result.ts';
import { brokenModel, sampleBatch, sampleResults } from './batch-sample.ts';
import { infectedNorms, ordinaryNorms, sampleResult } from './sample.ts';
import { parseXml, type XmlElement } from './xml.ts';

const report = sampleBatch();
const pathsByRisk = [
  'models/infected.onnx',
  'models/suspicious.onnx',
  'models/stopped.onnx',
  'models/broken.onnx',
  'models/ordinary.onnx',
];

describe('the result of a batch', () => {
  it('fits the schema, and so does what is read back', () => {
    const read: unknown = JSON.parse(renderBatch('json', report));
    expect(batchResult.parse(read)).toEqual(report.batch);
  });

  it('keeps of a model what tells where to look', () => {
    const model = scannedModel('a/signs.onnx', 'signs-abababab-7', sampleResult(), { kept: true });
    expect(model).toMatchObject({
      path: 'a/signs.onnx',
      run: 'signs-abababab-7',
      verdict: 'backdoored',
      findings: [{ label: 33, level: 'backdoored' }],
      smallest: { label: 33, l1: 6 },
      accuracy: 0.96,
      timings: { seconds: 90.5, kept: true },
    });
    const censored = sampleResult({ norms: ordinaryNorms.map(() => null) });
    expect(scannedModel('x', 'x', censored, { kept: false })).toMatchObject({ smallest: null, pValue: null });
  });

  it('keeps code, message and hint of what failed, each once', () => {
    expect(brokenModel).toEqual({
      status: 'failed',
      path: 'models/broken.onnx',
      code: 'OPERATOR_UNSUPPORTED',
      message: 'There is no rule. [LpPool node "pool"]',
      hint: 'Export it again.',
    });
    expect(failedModel('x', new NeuralCleanseError('MODEL_INVALID', 'It has a cycle.'))).toMatchObject({
      message: 'It has a cycle.',
      hint: null,
    });
    expect(failedModel('x', new TypeError('of undefined'))).toMatchObject({
      code: 'INTERNAL',
      message: 'of undefined',
    });
  });
});

describe('the order of models', () => {
  it('is by risk: verdict, p-value, index, path; a model without a verdict is no safe one', () => {
    expect(report.batch.models.map(({ path }) => path)).toEqual(pathsByRisk);

    const of = (path: string, norms: readonly (number | null)[]): BatchModel =>
      scannedModel(path, path, sampleResult({ norms }), { kept: false });
    const models = [
      of('largest', infectedNorms.with(33, 3)),
      of('large', infectedNorms),
      of('also large', infectedNorms),
      of('none b', ordinaryNorms),
      of('none a', ordinaryNorms),
      { status: 'pending', path: 'later' } as const,
    ];
    expect(models.toSorted(compareRisk).map(({ path }) => path)).toEqual([
      'largest',
      'also large',
      'large',
      'later',
      'none a',
      'none b',
    ]);
  });

  it('does not depend on the order in which they were scanned', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(report.batch.models, { minLength: 5 }), (shuffled) => {
        expect(shuffled.toSorted(compareRisk)).toEqual(report.batch.models);
      }),
      { seed: 1, numRuns: 30 },
    );
  });
});

describe('the table', () => {
  const lines = renderBatch('text', report).split('\n');

  it('has a line for each model, the riskiest first', () => {
    const rows = lines.filter((line) => /^[▲✕ ] models\/\S+\.onnx /.test(line));
    expect(rows).toEqual([
      expect.stringMatching(/^▲ models\/infected\.onnx +backdoored +33 +6\.0 +10\.98 +< 0\.0001$/),
      expect.stringMatching(/^▲ models\/suspicious\.onnx +suspicious +12 +24\.0 /),
      expect.stringMatching(/^ {2}models\/stopped\.onnx +inconclusive +– +–/),
      expect.stringMatching(/^✕ models\/broken\.onnx +failed$/),
      expect.stringMatching(/^ {2}models\/ordinary\.onnx +no patch backdoor found +0 +50\.0/),
    ]);
    expect(lines).toContain(
      '1 backdoored, 1 suspicious, 1 inconclusive, 1 failed, 1 no patch backdoor found',
    );
  });

  it('says what failed and how, and how to go on', () => {
    expect(lines).toContain(
      '  models/broken.onnx: OPERATOR_UNSUPPORTED: There is no rule. [LpPool node "pool"] Export it again.',
    );
    expect(lines).toContain('  neural-cleanse scan models --data signs.h5 --resume');
    const whole = renderBatch('text', sampleBatch({ others: [] }));
    expect(whole).not.toMatch(/--resume|Failed/);
  });

  it('fits a narrow terminal but for figures, and shows the ends of long paths', () => {
    const path = `${'registry/'.repeat(20)}signs.onnx`;
    const narrow = renderBatch('text', sampleBatch({ results: { [path]: sampleResult() } }), { width: 80 });
    const table = narrow.split('\n').filter((line) => line.startsWith('▲'));
    expect(table[0]).toMatch(/^▲ ….*\/signs\.onnx {2}backdoored/);
    expect(table[0]!.length).toBeLessThanOrEqual(80);
  });

  it('has colours only if asked, and no control characters of names', () => {
    const hostile = sampleBatch({ results: { 'a\u001b[2Jb\n.onnx': sampleResult() } });
    expect(renderBatch('text', hostile)).not.toContain('\u001b');
    expect(renderBatch('text', hostile)).toContain('▲ a\ufffd[2Jb\ufffd.onnx');
    expect(renderBatch('text', report, { color: true })).toContain('\u001b[31m▲ models/infected.onnx');
  });
});

describe('SARIF of a batch', () => {
  interface Log {
    readonly runs: readonly {
      readonly artifacts: readonly { location: { uri: string }; hashes?: unknown }[];
      readonly invocations: readonly {
        executionSuccessful: boolean;
        toolExecutionNotifications: readonly { level: string; message: { text: string } }[];
      }[];
      readonly results: readonly {
        level: string;
        properties: { label: number };
        locations: readonly { physicalLocation: { artifactLocation: { uri: string; index: number } } }[];
      }[];
      readonly properties: unknown;
    }[];
  }
  const { runs } = JSON.parse(renderBatch('sarif', report)) as Log;

  it('is one run, with an artifact and an invocation for each model', () => {
    expect(runs).toHaveLength(1);
    expect(runs[0]!.artifacts.map(({ location }) => location.uri)).toEqual(pathsByRisk);
    expect(runs[0]!.invocations.map(({ executionSuccessful }) => executionSuccessful)).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
    expect(runs[0]!.artifacts[3]).toEqual({ location: { uri: 'models/broken.onnx' } });
    expect(runs[0]!.invocations[3]!.toolExecutionNotifications).toEqual([
      {
        level: 'error',
        message: { text: `OPERATOR_UNSUPPORTED: ${brokenModel.message} Export it again.` },
      },
    ]);
    expect(runs[0]!.properties).toMatchObject({ verdicts: { backdoored: 1, failed: 1 } });
  });

  it('has the findings of all models, each at its model', () => {
    expect(
      runs[0]!.results.map(({ level, properties, locations }) => [
        level,
        properties.label,
        locations[0]!.physicalLocation.artifactLocation,
      ]),
    ).toEqual([
      ['error', 33, { uri: 'models/infected.onnx', index: 0 }],
      ['warning', 12, { uri: 'models/suspicious.onnx', index: 1 }],
    ]);
  });
});

describe('JUnit of a batch', () => {
  const root = parseXml(
    renderBatch('junit', sampleBatch({ others: [brokenModel, { status: 'pending', path: 'later.onnx' }] })),
  );
  const suites = root.children;
  const sum = (name: string): number =>
    suites.reduce((total, { attributes }) => total + Number(attributes[name]), 0);

  it('is a suite for each model, and counts all', () => {
    expect(suites.map(({ attributes }) => attributes.name)).toEqual(
      pathsByRisk.toSpliced(4, 0, 'later.onnx').map((path) => `neural-cleanse ${path}`),
    );
    for (const name of ['tests', 'failures', 'errors']) expect(Number(root.attributes[name])).toBe(sum(name));
    expect(root.attributes).toMatchObject({ failures: '2', errors: '3' });
  });

  it('does not pass what could not be scanned, or was not', () => {
    const errors = suites.flatMap(({ children }) =>
      children.flatMap((one: XmlElement) => one.children.filter(({ tag }) => tag === 'error')),
    );
    expect(errors.map(({ attributes }) => attributes.type)).toEqual([
      'inconclusive',
      'OPERATOR_UNSUPPORTED',
      'pending',
    ]);
  });
});

it('never calls a model clean', () => {
  for (const result of Object.values(sampleResults)) expect(result.verdict).not.toMatch(/clean/);
  const rows = renderBatch('text', report)
    .split('\n')
    .filter((line) => line.includes('models/'));
  expect(rows.join()).not.toMatch(/\bclean\b/);
  expect(report.batch.models.map(outcomeOf)).not.toContain('clean');
});
