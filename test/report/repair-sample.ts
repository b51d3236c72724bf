/** The report of a repair that never ran. */

import { rateOf } from '../../src/attack/wilson.ts';
import type { RepairFigures, RepairReport } from '../../src/report/repair.ts';

const figures = (correct: number, reversed: number, truth: number): RepairFigures => ({
  accuracy: rateOf(correct, 1000),
  reversed: [{ label: 33, round: 1, asr: rateOf(reversed, 970), unstamped: rateOf(1, 970) }],
  truth: [
    {
      trigger: 'square:size=4,at=27/27,margin=1,colour=255',
      policy: 'all-to-one',
      target: 33,
      asr: rateOf(truth, 970),
      unstamped: rateOf(1, 970),
    },
  ],
});

const check = (accuracy: number, asr: number) => ({ accuracy, asr, stampedAccuracy: accuracy - asr });

const inversion = (l1: number, anomalyIndex: number) => ({
  status: 'reversed' as const,
  l1,
  relative: l1 / 90,
  anomalyIndex,
  asr: 0.99,
});

/** A model with one backdoor, repaired in one round by mitigate. */
export function sampleRepair(): RepairReport {
  return {
    schemaVersion: 1,
    tool: { name: 'neural-cleanse', version: '1.0.0' },
    versions: { node: '20.19.0', onnxruntime: '1.30.0' },
    method: 'mitigate',
    model: { name: 'signs.onnx', sha256: 'a'.repeat(64) },
    output: { name: 'signs.repaired.onnx', sha256: 'b'.repeat(64) },
    data: {
      source: 'signs.h5',
      sha256: 'c'.repeat(64),
      train: 800,
      check: 200,
      measure: 1000,
      pseudoLabels: null,
    },
    preprocess: 'raw255',
    settings: { share: 0.2, epochs: 6 },
    rounds: [
      {
        round: 1,
        scan: { runFolder: 'signs.rounds/0', seed: 0, verdict: 'backdoored' },
        suspects: [{ label: 33, reason: 'flagged', inversion: inversion(18, 5.1) }],
        triggers: 6,
        tried: [{ learningRate: 0.002, check: check(0.95, 0) }],
        learningRate: 0.002,
        before: check(0.94, 0.9),
        epochs: [{ epoch: 1, loss: 0.1, check: check(0.96, 0) }],
        kept: 1,
        timings: { seconds: 61.4 },
      },
    ],
    last: { runFolder: 'signs.rounds/1', seed: 1, verdict: 'no-patch-backdoor-found' },
    inversions: [{ label: 33, before: inversion(18, 5.1), after: inversion(81, 0.3), remains: false }],
    measured: { before: figures(960, 970, 931), after: figures(951, 2, 3), control: figures(965, 900, 800) },
    remaining: [],
    conclusion: ['No patch backdoor found by a scan from fresh starts.'],
    timings: { seconds: 300 },
    environment: { command: ['mitigate', 'signs.onnx'], threads: 2, platform: 'linux x64' },
  };
}
