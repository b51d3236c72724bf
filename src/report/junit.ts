/** The result as JUnit XML, which CI servers show: one test case a label, and one for the scan as a whole. */

import { estimateMark } from './estimate-mark.ts';
import { pairCounts, pairName } from './pair-text.ts';
import { printable } from './printable.ts';
import type { LabelResult, ScanResult } from './result.ts';

export interface TestCase {
  readonly name: string;
  readonly seconds: number;
  readonly outcome: 'system-out' | 'failure' | 'error';
  /** Of a failure or an error. */
  readonly type?: string;
  readonly lines: readonly string[];
}

/** What was tested of one model. */
export interface TestSuite {
  readonly name: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly properties: Readonly<Record<string, string | number>>;
  readonly cases: readonly TestCase[];
}

export const renderJunit = (scan: ScanResult): string => renderSuites([scanSuite(scan)]);

/** @param model what the suite calls the model */
export function scanSuite(scan: ScanResult, model = scan.model.name): TestSuite {
  const { config, data, timings, verdict } = scan;
  return {
    name: suiteName(model),
    startedAt: timings.startedAt,
    seconds: timings.seconds,
    properties: {
      model: scan.model.sha256,
      data: data.sha256,
      preset: config.preset,
      seed: config.seed,
      verdict,
    },
    cases: [...labelCases(scan), ...pairCases(scan), verdictCase(scan)],
  };
}

export const suiteName = (model: string): string => `neural-cleanse ${model}`;

export function renderSuites(suites: readonly TestSuite[]): string {
  const known = printable(suites);
  const totals = totalsOf(
    known.flatMap(({ cases }) => cases),
    known.reduce((sum, { seconds }) => sum + seconds, 0),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', totals, ...known.map(suiteElement))}\n`;
}

function suiteElement({ name, startedAt, seconds, properties, cases }: TestSuite): string {
  return element(
    'testsuite',
    {
      name,
      ...totalsOf(cases, seconds),
      skipped: 0,
      timestamp: startedAt.replace(/(\.\d+)?Z$/, ''),
    },
    element(
      'properties',
      {},
      ...Object.entries(properties).map(([name, value]) => element('property', { name, value })),
    ),
    ...cases.map(caseElement),
  );
}

const totalsOf = (cases: readonly TestCase[], seconds: number) => ({
  tests: cases.length,
  failures: cases.filter(({ outcome }) => outcome === 'failure').length,
  errors: cases.filter(({ outcome }) => outcome === 'error').length,
  time: seconds.toFixed(3),
});

function labelCases({ labels, findings, failed }: ScanResult): TestCase[] {
  const found = labels.map((label): TestCase => {
    const named = { name: labelText(label), seconds: label.timings.seconds };
    const finding = findings.find((candidate) => candidate.label === label.label);
    return finding
      ? { ...named, outcome: 'failure', type: finding.level, lines: finding.reasons }
      : { ...named, outcome: 'system-out', lines: [figures(label)] };
  });
  const without = failed
    .filter(({ label, source }) => source === undefined && !labels.some((known) => known.label === label))
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

/** One for each pair that was found, and one for all others together. */
function pairCases({ pairs }: ScanResult): TestCase[] {
  if (!pairs) return [];
  const { all, followed } = pairCounts(pairs);
  const found = pairs.findings.map(
    ({ source, label, level, reasons }): TestCase => ({
      name: `pair ${pairName({ source, label })}`,
      seconds: 0,
      outcome: 'failure',
      type: level,
      lines: reasons,
    }),
  );
  const others = `${all} pairs, ${followed} of them inverted to the end, ${found.length} found`;
  return [...found, { name: 'pairs', seconds: 0, outcome: 'system-out', lines: [others] }];
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
    : `L1 ${estimateMark({ status })}${l1.toFixed(2)} pixels, ASR ${asr.toFixed(3)}, anomaly index ${anomalyIndex?.toFixed(3) ?? 'unknown'}`;

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
