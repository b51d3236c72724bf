/** A run as the files of its folder, of which the log is made of what was logged. */

import { logLine, logName, type RunHeader } from '../../../src/data/run-log.ts';
import type { RunFiles } from '../../../src/report/html/saved-report.ts';
import type { RunFileStore } from './run-files.ts';

export const filesOf = (store: RunFileStore, header: RunHeader, name: string): RunFiles => ({
  name,
  read: (file) => (file === logName ? logOf(store, header) : store.read(file)),
});

export async function logOf(store: RunFileStore, header: RunHeader): Promise<Uint8Array> {
  const lines = [header, ...(await store.records())].map(logLine);
  const log = new Uint8Array(lines.reduce((length, line) => length + line.length, 0));
  let at = 0;
  for (const line of lines) {
    log.set(line, at);
    at += line.length;
  }
  return log;
}
