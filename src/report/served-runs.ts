/**
 * What `neural-cleanse ui` says of run folders. Shared by the server and the web app.
 *
 * | `GET` | |
 * |---|---|
 * | `api/runs` | {@link ServedRun}[], the latest first |
 * | `api/runs/ID/scan.json` | the result as it was written |
 * | `api/runs/ID/report` | `ReportContent`, also of an unfinished run |
 * | `api/runs/ID/events` | {@link RunEvents} as server-sent events, from the start of the run on |
 *
 * Errors are a {@link ServedError}.
 */

import type { RunHeader } from '../data/run-log.ts';
import type { Verdict } from '../detect/verdict.ts';
import type { ErrorCode } from '../errors.ts';
import type { LabelRecord } from './label-record.ts';

/**
 * - `running`: a process works on it
 * - `stopped`: it is unfinished, and no process works on it
 * - `finished`: it has a result
 * - `damaged`: its files cannot be read
 */
export type RunState = 'running' | 'stopped' | 'finished' | 'damaged';

export interface ServedRun {
  /** 16 hexadecimal digits. */
  readonly id: string;
  /** The folder, as it is reached from where the server was started. */
  readonly name: string;
  readonly state: RunState;
  /** When its log or its result was last written: ISO 8601. */
  readonly changed: string;
  /** Of a finished run. */
  readonly verdict?: Verdict;
  /** File name of the model of a finished run. */
  readonly model?: string;
  /** Inversions in the log of an unfinished run. */
  readonly inversions?: number;
  /** Of a damaged run. */
  readonly error?: ServedError;
}

/** The data of each server-sent event, by its name. */
export interface RunEvents {
  /** The first event, and again when the run begins anew: whatever came before no longer counts. */
  readonly header: RunHeader;
  readonly label: LabelRecord;
  /** The last event: no process works on the run any more. */
  readonly ended: { readonly state: Exclude<RunState, 'running'> };
  /** The last event, if the log cannot be read. */
  readonly failed: ServedError;
}

export interface ServedError {
  readonly code: ErrorCode;
  readonly message: string;
}
