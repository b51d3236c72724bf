/** The result in SARIF 2.1.0, which code scanning services read. https://docs.oasis-open.org/sarif/sarif/v2.1.0/ */

import { printable } from './printable.ts';
import type { ScanResult } from './result.ts';

type Level = ScanResult['findings'][number]['level'];

const rules: Readonly<Record<Level, { id: string; name: string; level: 'error' | 'warning'; text: string }>> =
  {
    backdoored: {
      id: 'backdoored-label',
      name: 'BackdooredLabel',
      level: 'error',
      text: 'One small patch turns images of every class into this label.',
    },
    suspicious: {
      id: 'suspicious-label',
      name: 'SuspiciousLabel',
      level: 'warning',
      text: 'This label needs a smaller patch than chance explains.',
    },
  };
const levels = Object.keys(rules) as Level[];

export function renderSarif(scan: ScanResult): string {
  const result = printable(scan);
  const uri = fileUri(result.environment.model);
  const { verdict, reasons, model, tool } = result;
  const notifications = verdict === 'inconclusive' ? reasons : [];
  const run = {
    tool: {
      driver: {
        name: tool.name,
        version: tool.version,
        semanticVersion: tool.version,
        rules: levels.map((level) => {
          const { id, name, text } = rules[level];
          return {
            id,
            name,
            shortDescription: { text },
            defaultConfiguration: { level: rules[level].level },
          };
        }),
      },
    },
    artifacts: [{ location: { uri }, hashes: { 'sha-256': model.sha256 } }],
    invocations: [
      {
        executionSuccessful: verdict !== 'inconclusive',
        startTimeUtc: result.timings.startedAt,
        toolExecutionNotifications: notifications.map((text) => ({ level: 'warning', message: { text } })),
      },
    ],
    results: result.findings.map((finding) => findingResult(result, finding, uri)),
    properties: { verdict, reasons },
  };
  const log = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [run],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function findingResult(
  result: ScanResult,
  { label, level, reasons }: ScanResult['findings'][number],
  uri: string,
) {
  const { name, l1, asr, anomalyIndex, pValue } = result.labels.find((found) => found.label === label)!;
  return {
    ruleId: rules[level].id,
    ruleIndex: levels.indexOf(level),
    level: rules[level].level,
    message: { text: reasons.join(' ') },
    locations: [{ physicalLocation: { artifactLocation: { uri, index: 0 } } }],
    // The same finding of the same model, whatever was run with.
    partialFingerprints: { 'modelLabel/v1': `${result.model.sha256}:${label}` },
    properties: { label, ...(name !== undefined && { name }), l1, asr, anomalyIndex, pValue },
  };
}

/** A path as a URI: relative ones stay relative, since services look them up in the repository. */
function fileUri(path: string): string {
  const slashed = path.replaceAll('\\', '/');
  const encoded = slashed.split('/').map(encodeURIComponent).join('/');
  if (slashed.startsWith('/')) return `file://${encoded}`;
  return /^[A-Za-z]:\//.test(slashed) ? `file:///${slashed.slice(0, 2)}${encoded.slice(4)}` : encoded;
}
