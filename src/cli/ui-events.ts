/** Follows the log of a run while another process writes it. */

import { setTimeout } from 'node:timers/promises';
import { logName, parseRunLog } from '../data/run-log.ts';
import { parseLabelRecord } from '../report/label-record.ts';
import type { RunEvents } from '../report/served-runs.ts';
import { describeRun, type FoundRun, servedError } from './ui-runs.ts';

/** How often the log is looked at. Notices of file systems do not reach over networks. */
const pollMs = 500;

export type RunEvent = {
  readonly [Name in keyof RunEvents]: { readonly name: Name; readonly data: RunEvents[Name] };
}[keyof RunEvents];

/**
 * All events of a run, from its start to its end.
 *
 * @param signal ends it at once
 */
export async function* followRun(run: FoundRun, signal: AbortSignal): AsyncGenerator<RunEvent> {
  const reader = new LogReader(run);
  try {
    while (!signal.aborted) {
      // In this order: what was logged before the process left is still read.
      const isRunning = await run.isRunning();
      yield* await reader.next();
      if (!isRunning) {
        const { state } = await describeRun(run);
        if (state !== 'running') return yield { name: 'ended', data: { state } };
      }
      await setTimeout(pollMs, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) yield { name: 'failed', data: servedError(error) };
  }
}

/** Reads on where it stopped, and from the start if the log was begun anew. */
class LogReader {
  private readonly run: FoundRun;
  /** Bytes of the log that were read, and the last line of them, by which a log of another run is told. */
  private end = 0;
  private lastLine = new Uint8Array();

  constructor(run: FoundRun) {
    this.run = run;
  }

  /** What whole lines were added, or all of them if they do not go on from what was read. @throws NeuralCleanseError RUN_CORRUPT */
  async next(): Promise<RunEvent[]> {
    const kept = this.lastLine.length;
    const bytes = (await this.run.log(this.end - kept)) ?? new Uint8Array();
    if (this.lastLine.some((byte, i) => byte !== bytes[i])) return this.again();
    const added = bytes.subarray(kept);
    const whole = added.subarray(0, added.lastIndexOf(0x0a) + 1);
    if (whole.length === 0) return [];
    try {
      const events = eventsOf(whole, this.end === 0, this.run);
      this.end += whole.length;
      this.lastLine = whole.slice(whole.lastIndexOf(0x0a, -2) + 1);
      return events;
    } catch (error) {
      // From the start, for the number of the line.
      if (this.end > 0) return this.again();
      throw error;
    }
  }

  private again(): Promise<RunEvent[]> {
    this.end = 0;
    this.lastLine = new Uint8Array();
    return this.next();
  }
}

const noHeader = Buffer.from('{}\n');

function eventsOf(lines: Uint8Array, isStart: boolean, run: FoundRun): RunEvent[] {
  const path = `${run.files.name}/${logName}`;
  const log = isStart ? lines : Buffer.concat([noHeader, lines]);
  const { header, entries } = parseRunLog(log, path, parseLabelRecord);
  return [
    ...(isStart && header ? [{ name: 'header', data: header } as const] : []),
    ...entries.map((data) => ({ name: 'label', data }) as const),
  ];
}
