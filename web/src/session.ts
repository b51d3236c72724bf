/** All that changes the state of the app. Components only show it and call these methods. */

import type { ReportContent } from '../../src/report/html/content.ts';
import type { ServedRun } from '../../src/report/served-runs.ts';
import { type ShownError, shownError } from './errors.ts';
import { sampleData, sampleModel } from './files/sample.ts';
import { saveBlob } from './files/save.ts';
import { LiveScan } from './live-scan.ts';
import { followRun, listRuns, runReport, servesRuns } from './runs-client.ts';
import { findKeptRun, forgetKeptRun } from './scan/kept-run.ts';
import type {
  CheckOptions,
  FromScanWorker,
  Given,
  Part,
  ScanOptions,
  ToScanWorker,
} from './scan/protocol.ts';
import { startScanWorker } from './scan/start-worker.ts';
import { freshState, type SessionState } from './session-state.ts';

export class Session {
  state: SessionState = freshState;
  private readonly listeners = new Set<() => void>();
  private worker: Worker | undefined;
  private unfollow: (() => void) | undefined;

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Looks for runs: what an earlier visit has left, and what the server of the page has. */
  async lookForRuns(): Promise<void> {
    this.set({ kept: await findKeptRun() });
    if (!servesRuns()) return;
    try {
      this.set({ served: await listRuns() });
    } catch (error) {
      this.set({ errors: { open: shownError(error) } });
    }
  }

  giveModel(model: Given): void {
    this.set({ model });
    this.runCheck();
  }

  giveImages(data: Given): void {
    this.set({ data });
    this.runCheck();
  }

  async trySample(): Promise<void> {
    await this.guard('model', async () => {
      this.set({ model: await sampleModel(), data: await sampleData() });
      this.runCheck();
    });
  }

  changeCheck(change: Partial<CheckOptions>): void {
    const check = { ...this.state.check, ...change };
    // The number of threads is fixed once WebAssembly runs.
    if (check.threads !== this.state.check.threads) this.stopWorker();
    this.set({ check });
    this.runCheck();
  }

  changeScan(change: Partial<ScanOptions>): void {
    this.set({ scan: { ...this.state.scan, ...change } });
  }

  start(): void {
    this.set({ errors: {} });
    this.post({ kind: 'start', options: this.state.scan });
  }

  resume(): void {
    this.stopWorker();
    this.set({ ...this.inputsAsTheyAre(), errors: {}, busy: 'check' });
    this.post({ kind: 'resume' });
  }

  pause(): void {
    this.post({ kind: 'pause' });
    this.state.live?.pause();
    this.set({});
  }

  continue(): void {
    this.post({ kind: 'continue' });
    this.state.live?.continue();
    this.set({});
  }

  /** Stops at once. What is finished stays with the kept run. */
  async cancel(): Promise<void> {
    this.stopWorker();
    this.set({ screen: 'prepare', live: undefined, busy: undefined });
    await this.lookForRuns();
    this.runCheck();
  }

  async forget(): Promise<void> {
    await forgetKeptRun();
    this.set({ kept: undefined });
  }

  /** Shows the report of the kept run. */
  async openKeptRun(): Promise<void> {
    await this.guard('open', async () => {
      const { readKeptReport } = await import('./files/kept-report.ts');
      this.set({ screen: 'report', report: { content: await readKeptReport(), kept: true } });
    });
  }

  /** Shows the report of a zip archive or a scan.json. */
  async openFile(file: File): Promise<void> {
    await this.guard('open', async () => {
      const { readSavedRun } = await import('./files/saved-run.ts');
      this.show(await readSavedRun(file));
    });
  }

  /** Shows the report of a run of the server, and follows it while it grows. */
  async openServed(run: ServedRun): Promise<void> {
    await this.guard('open', async () => {
      this.show(await runReport(run.id));
      if (run.state === 'running') this.follow(run.id);
    });
  }

  saveRun(): void {
    this.post({ kind: 'save' });
  }

  private show(content: ReportContent, growing = false): void {
    this.set({ screen: 'report', report: { content, kept: false, growing } });
  }

  private follow(id: string): void {
    this.unfollow = followRun(id, {
      read: (growing) =>
        this.guard('open', async () => {
          const content = await runReport(id);
          if (this.unfollow) this.show(content, growing);
        }),
      failed: ({ code, message }) => this.set({ errors: { open: { code, message, hint: undefined } } }),
    });
  }

  /** Back to the first screen, with the files that were given. */
  async close(): Promise<void> {
    this.unfollow?.();
    this.unfollow = undefined;
    this.set({ screen: 'prepare', live: undefined, report: undefined, errors: {} });
    await this.lookForRuns();
  }

  private runCheck(): void {
    const { model, data, check } = this.state;
    if (!model) return;
    // What runs is out of date; what was read stays with the worker that is idle.
    if (this.state.busy) this.stopWorker();
    this.set({
      ...this.inputsAsTheyAre(),
      modelFacts: undefined,
      imageFacts: undefined,
      checkFacts: undefined,
      errors: {},
      busy: 'model',
    });
    this.post({ kind: 'check', model, data, options: check });
  }

  private inputsAsTheyAre(): Pick<SessionState, 'screen' | 'live' | 'report'> {
    return { screen: 'prepare', live: undefined, report: undefined };
  }

  private receive(message: FromScanWorker): void {
    const { data, live } = this.state;
    switch (message.kind) {
      case 'model':
        this.set({ modelFacts: message.facts, busy: data ? 'images' : undefined });
        break;
      case 'images':
        this.set({ imageFacts: message.facts, busy: 'check' });
        break;
      case 'checked':
        this.set({ checkFacts: message.facts, busy: undefined });
        break;
      case 'begun':
        this.set({ screen: 'scan', busy: undefined, live: new LiveScan(message.plan) });
        break;
      case 'progress':
        live?.note(message.progress);
        this.set({});
        break;
      case 'found':
        live?.found(message.found);
        this.set({});
        break;
      case 'concluding':
        live?.conclude();
        this.set({});
        break;
      case 'done':
        this.set({ screen: 'report', live: undefined, report: { content: message.content, kept: true } });
        break;
      case 'saved':
        saveBlob(message.name, message.zip);
        break;
      case 'failed':
        this.fail(message.part, shownError(message.error));
    }
  }

  private fail(part: Part, error: ShownError): void {
    const screen = part === 'scan' && this.state.screen === 'scan' ? 'prepare' : this.state.screen;
    this.set({ screen, live: undefined, busy: undefined, errors: { [part]: error } });
    if (part === 'scan') void this.lookForRuns();
  }

  private post(message: ToScanWorker): void {
    this.worker ??= startScanWorker(
      (received) => this.receive(received),
      (reason) => this.workerFailed(reason),
    );
    this.worker.postMessage(message);
  }

  private workerFailed(reason: string): void {
    this.stopWorker();
    this.fail(this.state.busy ?? 'scan', {
      code: 'WORKER_FAILED',
      message: `The worker of this page stopped unexpectedly (${reason}).`,
      hint: 'If memory ran out, close other tabs or use fewer images; then reload the page.',
    });
  }

  private stopWorker(): void {
    this.worker?.terminate();
    this.worker = undefined;
  }

  private async guard(part: Part | 'open', work: () => Promise<void>): Promise<void> {
    this.set({ errors: {} });
    try {
      await work();
    } catch (error) {
      this.set({ errors: { [part]: shownError(error) } });
    }
  }

  private set(change: Partial<SessionState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}
