import { describe, expect, it } from 'vitest';
import { NeuralCleanseError } from '../../src/errors.ts';
import { renderJunit } from '../../src/report/junit.ts';
import { infectedNorms, ordinaryNorms, sampleResult, stoppedResult } from './sample.ts';
import { parseXml, type XmlElement } from './xml.ts';

const named = ({ children }: XmlElement, tag: string): XmlElement[] =>
  children.filter((child) => child.tag === tag);

/** The one suite, with what its counts must agree with. */
function suiteOf(xml: string): XmlElement {
  const root = parseXml(xml);
  expect(root.tag).toBe('testsuites');
  const [suite, ...others] = named(root, 'testsuite');
  expect(others).toEqual([]);
  const cases = named(suite!, 'testcase');
  const count = (tag: string): number => cases.filter((one) => named(one, tag).length > 0).length;
  expect(suite!.attributes).toMatchObject({
    tests: String(cases.length),
    failures: String(count('failure')),
    errors: String(count('error')),
    skipped: '0',
  });
  return suite!;
}

describe('JUnit', () => {
  it('marks a norm that a screening estimated', () => {
    const result = sampleResult({ norms: [60, 64, 65, 70, 62, 58] });
    const labels = result.labels.map((label) =>
      label.label === 3 ? { ...label, status: 'screened' as const } : label,
    );
    const xml = renderJunit({ ...result, labels });
    expect(xml).toContain('L1 ~70.00 pixels');
    expect(xml.match(/L1 ~/g)).toHaveLength(1);
    expect(xml).toContain('L1 60.00 pixels');
  });

  it('has one case a label, and a failure for a flagged one', () => {
    const suite = suiteOf(renderJunit(sampleResult()));
    const cases = named(suite, 'testcase');
    expect(cases.map(({ attributes }) => attributes.name)).toEqual([
      ...infectedNorms.map((_, label) => `label ${label}`),
      'verdict',
    ]);
    const failures = cases.filter((one) => named(one, 'failure').length > 0);
    expect(failures.map(({ attributes }) => attributes.name)).toEqual(['label 33']);
    const [failure] = named(failures[0]!, 'failure');
    expect(failure!.attributes.type).toBe('backdoored');
    expect(failure!.attributes.message).toMatch(/^Label 33 has a mask of 6\.0 pixels/);
    expect(suite.attributes).toMatchObject({ failures: '1', errors: '0', timestamp: '2026-01-02T03:04:05' });
    expect(cases[0]!.attributes).toMatchObject({ time: '2.000', classname: 'neural-cleanse' });
    expect(
      named(named(suite, 'properties')[0]!, 'property').map(({ attributes }) => attributes.name),
    ).toEqual(['model', 'data', 'preset', 'seed', 'verdict']);
  });

  it('passes where nothing was found', () => {
    const suite = suiteOf(renderJunit(sampleResult({ norms: ordinaryNorms })));
    expect(suite.attributes).toMatchObject({ tests: '44', failures: '0', errors: '0' });
  });

  it('does not pass without a verdict', () => {
    const stopped = suiteOf(renderJunit(stoppedResult()));
    expect(stopped.attributes).toMatchObject({ tests: '1', failures: '0', errors: '1' });

    const failed = [{ label: 43, start: 0, error: new NeuralCleanseError('WORKER_FAILED', 'Killed.') }];
    const incomplete = suiteOf(renderJunit(sampleResult({ norms: ordinaryNorms, failed })));
    const errors = named(incomplete, 'testcase').filter((one) => named(one, 'error').length > 0);
    expect(errors.map(({ attributes }) => attributes.name)).toEqual(['label 43', 'verdict']);
  });

  it('keeps any name of a class, as far as XML can hold it', () => {
    const names = ['<b>&amp;"\'', ']]>', 'a\u0000\u001b\nb', '停', '\ud800\uffff', '🛑'];
    const classNames = ordinaryNorms.map((_, i) => names[i] ?? `class ${i}`);
    const cases = named(suiteOf(renderJunit(sampleResult({ norms: ordinaryNorms, classNames }))), 'testcase');
    expect(cases.slice(0, 6).map(({ attributes }) => attributes.name)).toEqual([
      'label 0 (<b>&amp;"\')',
      'label 1 (]]>)',
      'label 2 (a\ufffd\ufffd\ufffdb)',
      'label 3 (停)',
      'label 4 (\ufffd\ufffd)',
      'label 5 (🛑)',
    ]);
  });
});
