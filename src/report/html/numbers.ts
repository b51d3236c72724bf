/** Numbers as a report shows them; a space that does not break stands before their units. */

import type { LabelResult } from '../result.ts';

/** @param share in [0, 1] */
export const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)}\u00a0%`;

/** `10.3`, `0.42`, `1,024` */
export const pixels = (value: number): string =>
  value >= 1000 ? whole(value) : value.toFixed(value >= 1 ? 1 : 2);

export const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

/** Text for a missing value, which a screen reader can say. */
export const missing = 'n/a';

export const index = (value: number | null): string =>
  value === null ? missing : value.toFixed(2).replace('-', '−');

export const probability = (p: number | null): string => {
  if (p === null) return missing;
  return p < 1e-4 ? '< 0.0001' : p.toPrecision(2);
};

/** Three digits that count, without an exponent for values of usual size. */
export const short = (value: number): string =>
  value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e5)
    ? value.toExponential(1).replace('e+', 'e').replaceAll('-', '−')
    : String(Number(value.toPrecision(3))).replace('-', '−');

/** `2 h 5 min`, `1 min 3 s`, `9.1 s` */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)}\u00a0s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}\u00a0min ${Math.floor(seconds % 60)}\u00a0s`
    : `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
}

/** `2026-01-02 03:04 UTC` */
export const moment = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;

/** `3 labels`, `1 label` */
export const counted = (count: number, noun: string): string =>
  `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;

/** `3, 7 and 9` */
export const listed = (words: readonly (string | number)[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

/** The size of a mask in words; that of a label that was stopped early is an estimate. */
export function maskSize({ l1, status }: Pick<LabelResult, 'l1' | 'status'>): string {
  if (status === 'censored') return 'ASR threshold not reached';
  return `${status === 'screened' ? 'about ' : ''}${pixels(l1)}\u00a0px`;
}
