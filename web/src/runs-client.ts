/** The runs that `neural-cleanse ui` serves beside the app; see `src/report/served-runs.ts`. */

import { NeuralCleanseError } from '../../src/errors.ts';
import type { ReportContent } from '../../src/report/html/content.ts';
import type { RunEvents, ServedError, ServedRun } from '../../src/report/served-runs.ts';

/** Whether the server of this page serves runs, which it says in the page. Others are never asked. */
export const servesRuns = (): boolean =>
  document.querySelector<HTMLMetaElement>('meta[name="neural-cleanse-server"]')?.content === 'runs';

/** The latest first. */
export const listRuns = (): Promise<ServedRun[]> => get('api/runs');

export const runReport = (id: string): Promise<ReportContent> => get(`api/runs/${id}/report`);

export interface RunFollower {
  /** The report has changed: a label was added, or the run began anew or ended. Never called twice at once. */
  read(growing: boolean): Promise<void>;
  failed(error: ServedError): void;
}

/** Follows a run. @returns what ends it */
export function followRun(id: string, follower: RunFollower): () => void {
  const source = new EventSource(`api/runs/${id}/events`);
  let [followed, growing, outdated, reading] = [true, true, false, false];
  /** Has the report read, and again if it changed meanwhile. */
  const refresh = async (): Promise<void> => {
    outdated = true;
    if (reading) return;
    reading = true;
    while (outdated && followed) {
      outdated = false;
      await follower.read(growing);
    }
    reading = false;
  };
  const on = <Name extends keyof RunEvents>(name: Name, act: (data: RunEvents[Name]) => void): void => {
    source.addEventListener(name, ({ data }: MessageEvent<string>) =>
      act(JSON.parse(data) as RunEvents[Name]),
    );
  };
  on('header', () => void refresh());
  on('label', () => void refresh());
  on('ended', () => {
    source.close();
    growing = false;
    void refresh();
  });
  on('failed', (error) => {
    source.close();
    follower.failed(error);
  });
  return () => {
    followed = false;
    source.close();
  };
}

/** @throws NeuralCleanseError what the server says, or RUN_NOT_FOUND if it does not answer any more */
async function get<T>(path: string): Promise<T> {
  const response = await fetch(path).catch((cause: unknown) => {
    throw new NeuralCleanseError('RUN_NOT_FOUND', 'The server of this page does not answer any more.', {
      hint: 'Start neural-cleanse ui again.',
      cause,
    });
  });
  if (response.ok) return (await response.json()) as T;
  const { code, message } = (await response.json()) as ServedError;
  throw new NeuralCleanseError(code, message);
}
