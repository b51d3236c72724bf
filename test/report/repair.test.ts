import { expect, it } from 'vitest';
import { type RepairReport, renderRepairJson, repairReport } from '../../src/report/repair.ts';
import { renderRepairText } from '../../src/report/repair-text.ts';
import { sampleRepair } from './repair-sample.ts';

it('is JSON that its schema reads again, and nothing else', () => {
  const report = sampleRepair();
  expect(repairReport.parse(JSON.parse(renderRepairJson(report)))).toEqual(report);
  expect(repairReport.safeParse({ ...report, verdict: 'clean' }).success).toBe(false);
});

it('says in text what was done, and what it has changed', () => {
  const text = renderRepairText(sampleRepair());
  expect(text).toContain(
    'Round 1  label 33 (flagged); 6 triggers unlearned at rate 0.002, epoch 1 of 1 kept, 61 s',
  );
  expect(text).toMatch(
    /Clean accuracy\n {2}before {3}96\.00 %.*\n {2}after {4}95\.10 %.*\n {2}control {2}96\.50 %/,
  );
  expect(text).toMatch(
    /True trigger square.* for label 33: attack success\n.*\n {2}after {4}0\.31 %.*; without it 0\.10 %\n/,
  );
  expect(text).toContain(
    'Fresh inversion of label 33: 18.0 pixels (0.20 of the usual size) before, 81.0 pixels',
  );
  expect(text).toMatch(/No patch backdoor found by a scan from fresh starts\.\n$/);
});

it('shows names that hold control characters as they are', () => {
  const report: RepairReport = {
    ...sampleRepair(),
    model: { name: 'a\u001b[31m.onnx', sha256: 'a'.repeat(64) },
  };
  expect(renderRepairText(report)).not.toContain('\u001b');
});
