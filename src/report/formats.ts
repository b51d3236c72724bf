/** The forms that a result can be written in. */

import { renderJson } from './json.ts';
import { renderJunit } from './junit.ts';
import type { ScanResult } from './result.ts';
import { renderSarif } from './sarif.ts';
import { renderText, type TextStyle } from './text.ts';

const renderers = { text: renderText, json: renderJson, sarif: renderSarif, junit: renderJunit } as const;

export type ReportFormat = keyof typeof renderers;
export const reportFormats = Object.keys(renderers) as ReportFormat[];

/** Names in the run folder. */
export const reportFiles: Readonly<Record<ReportFormat, string>> = {
  text: 'scan.txt',
  json: 'scan.json',
  sarif: 'scan.sarif',
  junit: 'junit.xml',
};

/** @param style of the text form; the others have none */
export const renderResult = (format: ReportFormat, result: ScanResult, style: TextStyle = {}): string =>
  renderers[format](result, style);
