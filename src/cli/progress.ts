/** Shows on stderr how far a scan is: a live block on a terminal, plain lines elsewhere. */

import type { WriteStream } from 'node:tty';
import type { InversionProgress } from '../detect/inversion.ts';
import type { InversionSummary } from '../detect/scan.ts';
import { subjectName, triggerName } from '../detect/scan-work.ts';

export interface ScanProgress {
  running(progress: InversionProgress): void;
  finished(inversion: InversionSummary): void;
  /** Prints a line that stays. */
  note(line: string): void;
  /** Removes what is shown only while the scan runs. */
  stop(): void;
}

export interface Plan {
  /** Labels to scan. */
  readonly labels: number;
  /** Pairs of a source and a target. @default 0 */
  readonly pairs?: number;
  /** How many inversions that takes; a scan may add some. */
  readonly inversions: number;
  /** Inversions that are known from an interrupted run. */
  readonly known: number;
}

/** The part of a stream that is needed; a terminal states its width. */
export type Output = Pick<NodeJS.WritableStream, 'write'> & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;

export const showProgress = (output: Output, plan: Plan, now = () => performance.now()): ScanProgress =>
  output.isTTY && process.env.TERM !== 'dumb'
    ? new LiveProgress(output, new Tally(plan, now))
    : new PlainProgress(output, new Tally(plan, now), now);

/** Counts, and estimates the time left. */
class Tally {
  private readonly plan: Plan;
  private readonly now: () => number;
  private readonly began: number;
  private done: number;
  private here = 0;

  constructor(plan: Plan, now: () => number) {
    this.plan = plan;
    this.now = now;
    this.began = now();
    this.done = plan.known;
  }

  add(): void {
    this.done++;
    this.here++;
  }

  /** `12 of 43 labels, 1m 03s, about 2m 40s left`, or where labels take several `12 of 86 inversions of 43 labels, …` */
  text(): string {
    const { labels, pairs = 0, inversions } = this.plan;
    const total = Math.max(inversions, this.done);
    const all = `${labels} labels${pairs > 0 ? ` and ${pairs} pairs` : ''}`;
    const unit = inversions > labels ? `inversions of ${all}` : 'labels';
    const elapsed = this.now() - this.began;
    const left = total - this.done;
    const rest = this.here > 0 && left > 0 ? `, about ${duration((elapsed / this.here) * left)} left` : '';
    return `${this.done} of ${total} ${unit}, ${duration(elapsed)}${rest}`;
  }
}

const stageText: Readonly<Record<InversionSummary['status'], string>> = {
  reversed: '',
  censored: '',
  screened: ', at first',
  unlearned: ', its trigger unlearned',
};

const heartbeatMs = 10_000;

class PlainProgress implements ScanProgress {
  private readonly output: Output;
  private readonly tally: Tally;
  private readonly now: () => number;
  private last: number;

  constructor(output: Output, tally: Tally, now: () => number) {
    this.output = output;
    this.tally = tally;
    this.now = now;
    this.last = now();
  }

  running(progress: InversionProgress): void {
    if (this.now() - this.last >= heartbeatMs) this.print(`${runningText(progress)} (${this.tally.text()})`);
  }

  finished(inversion: InversionSummary): void {
    this.tally.add();
    const { start, status, l1, asr, steps, seconds } = inversion;
    const again = start === 0 || status === 'unlearned' ? '' : ' again';
    const found = status === 'censored' ? 'ASR threshold not reached' : `L1 ${l1.toFixed(1)}`;
    const cost = `${steps} steps, ${seconds.toFixed(1)} s`;
    this.print(
      `${subjectName(inversion)}${again}${stageText[status]}: ${found}, ASR ${asr.toFixed(3)}, ${cost} (${this.tally.text()})`,
    );
  }

  note(line: string): void {
    this.print(line);
  }

  stop(): void {}

  private print(line: string): void {
    this.last = this.now();
    this.output.write(`${line}\n`);
  }
}

const frameMs = 200;

class LiveProgress implements ScanProgress {
  private readonly output: Output;
  private readonly tally: Tally;
  private readonly active = new Map<string, InversionProgress>();
  private readonly timer: NodeJS.Timeout;
  private height = 0;

  constructor(output: Output, tally: Tally) {
    this.output = output;
    this.tally = tally;
    this.timer = setInterval(() => this.draw(), frameMs).unref();
    this.draw();
  }

  running(progress: InversionProgress): void {
    this.active.set(keyOf(progress), progress);
  }

  finished(inversion: InversionSummary): void {
    this.active.delete(keyOf(inversion));
    this.tally.add();
  }

  note(line: string): void {
    this.clear();
    this.output.write(`${line}\n`);
    this.draw();
  }

  stop(): void {
    clearInterval(this.timer);
    this.clear();
  }

  /** One write a frame, over the old one: nothing is blank in between. */
  private draw(): void {
    const width = (this.output.columns ?? 80) - 1;
    const running = [...this.active.values()].sort((a, b) => a.label - b.label).map(runningText);
    const lines = [this.tally.text(), ...running.map((line) => `  ${line}`)];
    const text = lines.map((line) => `${line.slice(0, width)}\u001b[K\n`).join('');
    this.output.write(`${up(this.height)}${text}\u001b[J`);
    this.height = lines.length;
  }

  private clear(): void {
    this.output.write(`${up(this.height)}\u001b[J`);
    this.height = 0;
  }
}

const up = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}A`);

const keyOf = ({ label, source, start }: Pick<InversionProgress, 'label' | 'source' | 'start'>): string =>
  `${triggerName({ label, source })}/${start}`;

const runningText = ({ label, source, start, step, l1, asr }: InversionProgress): string =>
  `${subjectName({ label, source })}${start === 0 ? '' : ' again'}: step ${step}, L1 ${l1.toFixed(1)}, ASR ${asr.toFixed(2)}`;

/** `2h 05m`, `1m 03s`, `9s` */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const pad = (value: number): string => String(value).padStart(2, '0');
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)}h ${pad(Math.floor((seconds % 3600) / 60))}m`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s` : `${seconds}s`;
}
