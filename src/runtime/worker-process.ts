/** One worker process of a pool, seen from the pool. */

import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NeuralCleanseError } from '../errors.ts';
import { decodeError, type FromWorker, type ToWorker } from './wire.ts';

/** The compiled package runs pool-worker.js, the sources pool-worker.ts. */
const entry = fileURLToPath(new URL(`./pool-worker${extname(import.meta.url)}`, import.meta.url));

interface Run {
  readonly name: string;
  readonly onProgress: ((progress: never) => void) | undefined;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class WorkerProcess {
  /** Settles when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private current: Run | undefined;
  private failure: string | undefined;

  constructor(start: Extract<ToWorker, { kind: 'start' }>) {
    // Standard output belongs to the results of the command line, so a worker's goes to standard error.
    this.child = fork(entry, [], { serialization: 'advanced', stdio: ['ignore', 2, 2, 'ipc'] });
    this.child.on('message', (message: FromWorker) => this.receive(message));
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.end(error.message);
        resolve();
      });
      this.child.once('exit', (code, signal) => {
        this.end(signal === null ? `exit code ${code}` : `signal ${signal}`);
        resolve();
      });
    });
    this.keepAlive(false);
    this.send(start);
  }

  get alive(): boolean {
    return this.failure === undefined;
  }

  get idle(): boolean {
    return this.alive && this.current === undefined;
  }

  /** @throws NeuralCleanseError what the task threw; WORKER_FAILED if the process ends first */
  run(
    request: Extract<ToWorker, { kind: 'run' }>,
    name: string,
    onProgress: ((progress: never) => void) | undefined,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.send(request);
      this.current = { name, onProgress, resolve, reject };
      this.keepAlive(true);
    });
  }

  /** Asks the running task to stop. */
  cancel(): void {
    this.send({ kind: 'cancel' });
  }

  kill(): void {
    // Whoever waits for the end of an idle worker needs the program to live until then.
    this.keepAlive(true);
    this.child.kill('SIGKILL');
  }

  private receive(message: FromWorker): void {
    if (message.kind === 'progress') {
      this.current?.onProgress?.(message.progress as never);
      return;
    }
    const run = this.finish();
    if (message.kind === 'done') run?.resolve(message.result);
    else run?.reject(decodeError(message.error));
  }

  private end(reason: string): void {
    this.failure ??= reason;
    const run = this.finish();
    run?.reject(
      new NeuralCleanseError(
        'WORKER_FAILED',
        `The process that ran "${run.name}" stopped unexpectedly (${reason}).`,
        {
          hint: 'If memory ran out, use fewer threads or a smaller batch.',
          data: { task: run.name, reason },
        },
      ),
    );
  }

  private finish(): Run | undefined {
    const run = this.current;
    this.current = undefined;
    this.keepAlive(false);
    return run;
  }

  private send(message: ToWorker): void {
    // A failure to send means that the process has ended, which its exit event tells.
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  /** An idle worker does not keep the program from ending. */
  private keepAlive(busy: boolean): void {
    const handles = [this.child, this.child.channel];
    for (const handle of handles) busy ? handle?.ref() : handle?.unref();
  }
}
