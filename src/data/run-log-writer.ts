/** Writes the log of a run so that it can be read whenever the process may end. */

import type { FileHandle } from 'node:fs/promises';
import { Queue } from '../runtime/queue.ts';
import { logLine } from './run-log.ts';
import { resumeLater, writing } from './run-writing.ts';

export class RunLogWriter {
  private readonly file: FileHandle;
  private readonly path: string;
  private readonly queue = new Queue();
  private end: number;

  /** @param end where the whole lines end, in bytes */
  constructor(file: FileHandle, path: string, end: number) {
    this.file = file;
    this.path = path;
    this.end = end;
  }

  /**
   * Returns once the line is on the disk. A line that could not be written is taken back as a whole.
   *
   * @throws NeuralCleanseError RUN_NOT_WRITTEN
   */
  append(value: unknown): Promise<void> {
    return this.queue.run(() => writing(this.path, resumeLater, () => this.write(logLine(value))));
  }

  async close(): Promise<void> {
    await this.queue.run(() => this.file.close());
  }

  private async write(line: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < line.length; ) {
        const { bytesWritten } = await this.file.write(line, done, line.length - done, this.end + done);
        done += bytesWritten;
      }
      await this.file.datasync();
    } catch (error) {
      // If this fails too, reading drops what has no line feed.
      await this.file.truncate(this.end).catch(() => undefined);
      throw error;
    }
    this.end += line.length;
  }
}
