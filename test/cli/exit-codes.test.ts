import { expect, it } from 'vitest';
import { exitCodeOf, exitCodes } from '../../src/cli/exit-codes.ts';
import { type ErrorCode, errorCodes } from '../../src/errors.ts';

const codesWith = (exit: number): string[] =>
  Object.keys(errorCodes).filter((code) => exitCodeOf(code as ErrorCode) === exit);

it('what was asked for wrongly is told from what the model and the data do not allow', () => {
  expect(codesWith(exitCodes.usage)).toEqual([
    'PREPROCESS_INVALID',
    'DATA_SPEC_INVALID',
    'BUDGET_TOO_SMALL',
    'SETTING_INVALID',
    'TRIGGER_UNKNOWN',
    'TRIGGERS_EQUAL',
    'RATIO_INVALID',
    'CONFIG_INVALID',
    'QUEUE_URL_INVALID',
    'STORE_INVALID',
    'USAGE',
  ]);
  // Whether a target is a class depends on the model.
  expect(exitCodeOf('TARGET_OUT_OF_RANGE')).toBe(exitCodes.failed);
});

it('no error looks like a verdict', () => {
  expect([...codesWith(exitCodes.ok), ...codesWith(exitCodes.finding)]).toEqual([]);
});
