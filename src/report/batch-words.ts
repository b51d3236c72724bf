/** What a batch says of its models, in words. */

import { type BatchModel, type Outcome, outcomeOf } from './batch-result.ts';
import { verdictTitles } from './html/verdict-text.ts';
import { notProven } from './text.ts';

/** Outcomes for people. */
export const outcomeTitles: Readonly<Record<Outcome, string>> = {
  ...verdictTitles,
  failed: 'Failed',
  pending: 'Not scanned yet',
};

/** What an outcome does not prove of a model; a sentence or two. */
export const outcomeLimits: Readonly<Record<Outcome, string>> = {
  ...notProven,
  failed: 'Anything about the model: it could not be scanned.',
  pending: 'Anything about the model: the batch was stopped before it.',
};

/** `2 backdoored, 1 failed, 5 no patch backdoor found` */
export const countsText = (counts: ReadonlyMap<Outcome, number>): string =>
  [...counts].map(([outcome, models]) => `${models} ${outcomeTitles[outcome].toLowerCase()}`).join(', ');

/** What became of a model, within a line. */
export const outcomeText = (model: BatchModel): string => outcomeTitles[outcomeOf(model)].toLowerCase();

/** Why a model has no result. */
export const whyUnscanned = (model: BatchModel): string =>
  model.status === 'failed'
    ? [`${model.code}: ${model.message}`, ...(model.hint === null ? [] : [model.hint])].join(' ')
    : 'The batch was stopped before this model.';
