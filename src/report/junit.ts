/** The result as JUnit XML, which CI servers show: one test case a label, and one for the scan as a whole. */

import { printable } from './printable.ts';
import type { LabelResult, ScanResult } from './result.ts';

interface TestCase {
  readonly name: string;
  readonly seconds: number;
  readonly outcome: 'system-out' | 'failure' | 'error';
  /** Of a failure or an error. */
  readonly type?: string;
  readonly lines: readonly string[];
}

export function renderJunit(scan: ScanResult): string {
  const result = printable(scan);
  const cases = [...labelCases(result), verdictCase(result)];
  const { timings, config, model } = result;
  const totals = {
    tests: cases.length,
    failures: cases.filter(({ outcome }) => outcome === 'failure').length,
    errors: cases.filter(({ outcome }) => outcome === 'error').length,
    time: timings.seconds.toFixed(3),
  };
  const name = `neural-cleanse ${model.name}`;
  const properties = {
    model: model.sha256,
    data: result.data.sha256,
    preset: config.preset,
    seed: config.seed,
    verdict: result.verdict,
  };
  const suite = element(
    'testsuite',
    { name, ...totals, skipped: 0, timestamp: timings.startedAt.replace(/(\.\d+)?Z$/, '') },
    element(
      'properties',
      {},
      ...Object.entries(properties).map(([name, value]) => element('property', { name, value })),
    ),
    ...cases.map(caseElement),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', totals, suite)}\n`;
}

function labelCases({ labels, findings, failed }: ScanResult): TestCase[] {
  const found = labels.map((label): TestCase => {
    const named = { name: labelText(label), seconds: label.timings.seconds };
    const finding = findings.find((candidate) => candidate.label === label.label);
    return finding
      ? { ...named, outcome: 'failure', type: finding.level, lines: finding.reasons }
      : { ...named, outcome: 'system-out', lines: [figures(label)] };
  });
  const without = failed
    .filter(({ label }) => !labels.some((known) => known.label === label))
    .map(
      ({ label, code, message }): TestCase => ({
        name: `label ${label}`,
        seconds: 0,
        outcome: 'error',
        type: code,
        lines: [message],
      }),
    );
  return [...found, ...without];
}

/** A scan without a verdict must not pass. */
const verdictCase = ({ verdict, reasons }: ScanResult): TestCase => ({
  name: 'verdict',
  seconds: 0,
  ...(verdict === 'inconclusive'
    ? { outcome: 'error', type: verdict, lines: reasons }
    : { outcome: 'system-out', lines: [verdict, ...reasons] }),
});

const labelText = ({ label, name }: LabelResult): string =>
  `label ${label}${name === undefined ? '' : ` (${name})`}`;

const figures = ({ status, l1, asr, anomalyIndex }: LabelResult): string =>
  status === 'censored'
    ? 'never reached the ASR threshold'
    : `L1 ${l1.toFixed(2)} pixels, ASR ${asr.toFixed(3)}, anomaly index ${anomalyIndex?.toFixed(3) ?? 'unknown'}`;

function caseElement({ name, seconds, outcome, type, lines }: TestCase): string {
  const details = type === undefined ? {} : { message: lines[0] ?? type, type };
  return element(
    'testcase',
    { classname: 'neural-cleanse', name, time: seconds.toFixed(3) },
    element(outcome, details, escapeXml(lines.join('\n'))),
  );
}

/** @param children XML */
function element(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly string[]
): string {
  const values = Object.entries(attributes).map(([name, value]) => ` ${name}="${escapeXml(String(value))}"`);
  return `<${tag}${values.join('')}>${children.join('')}</${tag}>`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (character) => entities[character]!);
