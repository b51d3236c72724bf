import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkGraph } from '../../src/onnx/check.ts';
import { readModel } from '../../src/onnx/read.ts';
import { tensorBytes, writeModel } from '../../src/onnx/write.ts';
import { errorOf, outcome } from './errors.ts';
import { between, DT, type GraphInit, graphAttribute, modelBytes, reluGraph, value } from './protos.ts';
import { zoo } from './zoo.ts';

/** A sparse tensor of complex numbers could grow most: 1024 elements of 16 bytes, and as much again, for each byte stored. */
const maxGrowth = 2 * 1024 * 16;

/** Reads, checks and writes; anything but success or one of our errors fails the test. */
function survive(bytes: Uint8Array): string {
  return outcome(() => {
    const model = readModel(bytes);
    checkGraph(model.graph);
    if (tensorBytes(model.graph) > maxGrowth * bytes.length)
      throw new Error('tensors grew beyond all bounds');
    const again = readModel(writeModel(model));
    if (!isDeepStrictEqual(again, { ...model, irVersion: Math.max(4, model.irVersion) })) {
      throw new Error('what was read cannot be written');
    }
  });
}

describe('a file cut off at any byte', () => {
  test.each(Object.entries(zoo))('%s', (_, bytes) => {
    expect(survive(bytes)).toBe('ok');
    const outcomes = new Set<string>();
    for (let length = 0; length < bytes.length; length++) outcomes.add(survive(bytes.subarray(0, length)));
    expect(outcomes).toContain('MODEL_TRUNCATED');
    for (const code of outcomes) {
      // Metadata, functions and, before an end that is a field's end, operator sets stand after the graph.
      expect(['ok', 'MODEL_TRUNCATED', 'MODEL_NOT_ONNX', 'MODEL_INVALID']).toContain(code);
    }
  });

  test('is called cut off as soon as the first field is there', () => {
    const bytes = zoo.convolutional!;
    expect(survive(bytes.subarray(0, 0))).toBe('MODEL_NOT_ONNX');
    for (let length = 1; length < 60; length++) {
      expect([length, survive(bytes.subarray(0, length))]).toEqual([length, 'MODEL_TRUNCATED']);
    }
  });
});

describe('random damage', () => {
  type Edit = (bytes: Uint8Array) => Uint8Array;
  const join = (...parts: Uint8Array[]): Uint8Array => Buffer.concat(parts);
  /** A place in a file; fast-check's bias to the ends would hit little but the header. */
  const at = fc.noBias(fc.nat({ max: 2 ** 20 - 1 })).map((n) => n / 2 ** 20);
  const byte = fc.nat({ max: 255 });
  const foreign = fc.constantFrom(...Object.values(zoo));
  const index = (position: number, bytes: Uint8Array) => Math.floor(position * bytes.length);

  const edit: fc.Arbitrary<Edit> = fc.oneof(
    fc.tuple(at, fc.nat({ max: 7 })).map(
      ([p, bit]): Edit =>
        (bytes) => {
          const copy = bytes.slice();
          if (copy.length > 0) copy[index(p, copy)]! ^= 1 << bit;
          return copy;
        },
    ),
    fc.tuple(at, byte).map(
      ([p, b]): Edit =>
        (bytes) => {
          const copy = bytes.slice();
          if (copy.length > 0) copy[index(p, copy)] = b;
          return copy;
        },
    ),
    fc.tuple(at, fc.integer({ min: 1, max: 16 })).map(
      ([p, n]): Edit =>
        (bytes) => {
          const i = index(p, bytes);
          return join(bytes.subarray(0, i), bytes.subarray(i + n));
        },
    ),
    fc.tuple(at, fc.uint8Array({ minLength: 1, maxLength: 12 })).map(
      ([p, extra]): Edit =>
        (bytes) => {
          const i = index(p, bytes);
          return join(bytes.subarray(0, i), extra, bytes.subarray(i));
        },
    ),
    fc.tuple(at, at, at).map(
      ([p, q, r]): Edit =>
        (bytes) => {
          const [from, to] = [index(p, bytes), index(q, bytes)].sort((a, b) => a - b) as [number, number];
          const i = index(r, bytes);
          return join(bytes.subarray(0, i), bytes.subarray(from, to), bytes.subarray(i));
        },
    ),
    fc.tuple(foreign, at, at).map(
      ([other, p, q]): Edit =>
        (bytes) =>
          join(bytes.subarray(0, index(p, bytes)), other.subarray(index(q, other))),
    ),
  );

  test('ends in a model that can be written again or in an error of ours', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(foreign, fc.array(edit, { minLength: 1, maxLength: 3 }), (bytes, edits) => {
        const code = survive(edits.reduce((damaged, apply) => apply(damaged), bytes));
        seen.set(code, (seen.get(code) ?? 0) + 1);
      }),
      { seed: 3, numRuns: 4000 },
    );
    // The damage is of all sorts: some of it harmless, some found only in the graph.
    for (const code of ['ok', 'MODEL_TRUNCATED', 'MODEL_NOT_ONNX', 'MODEL_INVALID']) {
      expect([code, (seen.get(code) ?? 0) > 50]).toEqual([code, true]);
    }
  });

  test('noise is not a model', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(survive(bytes)).not.toBe('ok');
      }),
      { seed: 4, numRuns: 500 },
    );
  });
});

describe('built to harm', () => {
  const nestedIn = (levels: number): GraphInit => {
    let inner: GraphInit = { output: [value('x', DT.FLOAT, [2])] };
    for (let level = 0; level < levels; level++) {
      inner = {
        output: [value(`y${level}`, DT.FLOAT, [2])],
        node: [
          {
            opType: 'If',
            input: ['x'],
            output: [`y${level}`],
            attribute: [graphAttribute('then_branch', inner)],
          },
        ],
      };
    }
    return { ...inner, input: [value('x', DT.FLOAT, [2])] };
  };

  test('32 levels of subgraphs are read, more are refused', () => {
    expect(survive(modelBytes(nestedIn(32)))).toBe('ok');
    const error = errorOf(() => readModel(modelBytes(nestedIn(40))));
    expect(error?.code).toBe('MODEL_INVALID');
    expect(error?.message).toContain('nested deeper than 32 levels');
    expect(survive(modelBytes(nestedIn(300)))).toBe('MODEL_INVALID');
  });

  test('shapes that promise gigabytes cost nothing', () => {
    const claims = (dims: bigint[]) =>
      between({
        ...reluGraph,
        initializer: Array.from({ length: 500 }, (_, i) => ({
          name: `w${i}`,
          dims,
          dataType: DT.DOUBLE,
          rawData: new Uint8Array(8),
        })),
      });
    expect(survive(modelBytes(claims([2n ** 30n])))).toBe('MODEL_INVALID');
    expect(survive(modelBytes(claims([2n ** 20n, 2n ** 20n])))).toBe('MODEL_TOO_LARGE');
  });

  test('a field that claims to be longer than the file is cut off', () => {
    // ir_version 8; graph of 2^32 - 1 bytes
    expect(survive(new Uint8Array([0x08, 0x08, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]))).toBe('MODEL_TRUNCATED');
  });

  test('a damaged field after a good start is damage, not another format', () => {
    const bytes = modelBytes(reluGraph).slice();
    // The tag of the first node's first field becomes one of a wire type that does not exist.
    const firstNode = bytes.indexOf(0x0a, 4);
    bytes[firstNode + 2] = 0x0f;
    const error = errorOf(() => readModel(bytes));
    expect(error?.code).toBe('MODEL_INVALID');
    expect(error?.message).toContain('damaged');
  });

  test('a model of only names or without a graph is cut off', () => {
    expect(survive(modelBytes({}))).toBe('MODEL_TRUNCATED');
    expect(survive(new Uint8Array([0x08, 0x08]))).toBe('MODEL_TRUNCATED');
  });
});
