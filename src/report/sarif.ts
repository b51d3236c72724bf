/** The result in SARIF 2.1.0, which code scanning services read. https://docs.oasis-open.org/sarif/sarif/v2.1.0/ */

import { printable } from './printable.ts';
import type { PairsResult, ScanResult } from './result.ts';

type Level = ScanResult['findings'][number]['level'];

const rules: Readonly<Record<Level, { id: string; name: string; level: 'error' | 'warning'; text: string }>> =
  {
    backdoored: {
      id: 'backdoored-label',
      name: 'BackdooredLabel',
      level: 'error',
      text: 'One small patch turns images of every class, or of one, into this label.',
    },
    suspicious: {
      id: 'suspicious-label',
      name: 'SuspiciousLabel',
      level: 'warning',
      text: 'This label needs a smaller patch than chance explains.',
    },
  };
const levels = Object.keys(rules) as Level[];

/** What one scan adds to the log. */
export interface SarifScan {
  /** Of the model, as it was given. */
  readonly path: string;
  /** Of the model; `undefined` if it could not be read. */
  readonly sha256: string | undefined;
  readonly startedAt: string;
  readonly successful: boolean;
  /** What kept the scan from a verdict. */
  readonly notifications: readonly { readonly level: 'warning' | 'error'; readonly text: string }[];
  readonly result: ScanResult | undefined;
}

export function renderSarif(scan: ScanResult): string {
  const { verdict, reasons, tool } = scan;
  return renderSarifLog(tool, [sarifScan(scan)], { verdict, reasons });
}

/** @param path of the model, if it is not that of the result */
export const sarifScan = (result: ScanResult, path = result.environment.model): SarifScan => ({
  path,
  sha256: result.model.sha256,
  startedAt: result.timings.startedAt,
  successful: result.verdict !== 'inconclusive',
  notifications:
    result.verdict === 'inconclusive' ? result.reasons.map((text) => ({ level: 'warning', text })) : [],
  result,
});

/**
 * One run, whatever the number of scans: services refuse files in which a tool has several.
 *
 * @param properties of the run
 */
export function renderSarifLog(
  tool: ScanResult['tool'],
  given: readonly SarifScan[],
  properties: Readonly<Record<string, unknown>>,
): string {
  const scans = given.map((scan) => ({ ...printable(scan), uri: fileUri(printable(scan.path)) }));
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
    artifacts: scans.map(({ uri, sha256 }) => ({
      location: { uri },
      ...(sha256 !== undefined && { hashes: { 'sha-256': sha256 } }),
    })),
    invocations: scans.map(({ successful, startedAt, notifications }) => ({
      executionSuccessful: successful,
      startTimeUtc: startedAt,
      toolExecutionNotifications: notifications.map(({ level, text }) => ({ level, message: { text } })),
    })),
    results: scans.flatMap(({ result, uri }, index) =>
      result
        ? [
            ...result.findings.map((finding) => findingResult(result, finding, { uri, index })),
            ...(result.pairs?.findings ?? []).map((finding) => pairResult(result, finding, { uri, index })),
          ]
        : [],
    ),
    properties: printable(properties),
  };
  const log = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [run],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function findingResult(result: ScanResult, finding: ScanResult['findings'][number], location: Location) {
  const { label } = finding;
  const { name, l1, asr, anomalyIndex, pValue } = result.labels.find((found) => found.label === label)!;
  return sarifResult(finding, `${result.model.sha256}:${label}`, location, {
    label,
    ...(name !== undefined && { name }),
    ...{ l1, asr, anomalyIndex, pValue },
  });
}

function pairResult(
  { model, pairs }: ScanResult,
  finding: PairsResult['findings'][number],
  location: Location,
) {
  const { source, label } = finding;
  const { l1, asr } = pairs!.pairs.find((pair) => pair.source === source && pair.label === label)!;
  return sarifResult(finding, `${model.sha256}:${source}:${label}`, location, { source, label, l1, asr });
}

interface Location {
  readonly uri: string;
  readonly index: number;
}

/** @param fingerprint the same for the same finding of the same model, whatever was run with */
const sarifResult = (
  { level, reasons }: { readonly level: Level; readonly reasons: readonly string[] },
  fingerprint: string,
  artifactLocation: Location,
  properties: Readonly<Record<string, unknown>>,
) => ({
  ruleId: rules[level].id,
  ruleIndex: levels.indexOf(level),
  level: rules[level].level,
  message: { text: reasons.join(' ') },
  locations: [{ physicalLocation: { artifactLocation } }],
  partialFingerprints: { 'modelLabel/v1': fingerprint },
  properties,
});

/** A path as a URI: relative ones stay relative, since services look them up in the repository. */
function fileUri(path: string): string {
  const slashed = path.replaceAll('\\', '/');
  const encoded = slashed.split('/').map(encodeURIComponent).join('/');
  if (slashed.startsWith('/')) return `file://${encoded}`;
  return /^[A-Za-z]:\//.test(slashed) ? `file:///${slashed.slice(0, 2)}${encoded.slice(4)}` : encoded;
}
