import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProviderStatus } from '../../src/runtime/session.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Tries everything where onnxruntime-node is missing, and prints what comes of it. */
const program = `
import { GraphBuilder } from './src/onnx/builder.ts';
import { canonicalModel } from './src/onnx/model.ts';
import { float32 } from './src/onnx/tensor.ts';
import { nodeRuntime } from './src/runtime/node.ts';

const b = new GraphBuilder();
b.output(b.op('Relu', [b.input('x', 'float32', [2])]), 'float32', [2], 'y');
const session = await nodeRuntime.open(canonicalModel(b.build()));
const { y } = await session.run({ x: float32([2], [-1, 1]) });
await session.release();
const refusal = await nodeRuntime.choose('cpu').catch((e) => ({ code: e.code, message: e.message, data: e.data }));
console.log(JSON.stringify({
  provider: session.provider,
  y: Array.from(y.data),
  choice: await nodeRuntime.choose('auto'),
  refusal,
  statuses: await nodeRuntime.providers(),
}));
`;

interface Outcome {
  readonly provider: string;
  readonly y: number[];
  readonly choice: { provider: string; notice: string };
  readonly refusal: unknown;
  readonly statuses: ProviderStatus[];
}

const layouts = {
  'is not installed': {
    prepare: () => undefined,
    reason: "Cannot find package 'onnxruntime-node'",
  },
  'has no build for this platform': {
    prepare: (modules: string) => {
      for (const part of ['package.json', 'dist']) {
        cpSync(join(root, 'node_modules/onnxruntime-node', part), join(modules, 'onnxruntime-node', part), {
          recursive: true,
        });
      }
    },
    reason: "Cannot find module '../bin/",
  },
};

describe.each(Object.entries(layouts))('where onnxruntime-node %s', (_, { prepare, reason }) => {
  const project = mkdtempSync(join(tmpdir(), 'without-native-'));
  let outcome: Outcome;
  let stderr: string;

  beforeAll(async () => {
    cpSync(join(root, 'src'), join(project, 'src'), { recursive: true });
    const modules = join(project, 'node_modules');
    for (const name of installed()) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
    }
    prepare(modules);
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(project, 'program.ts'), program);
    const result = await promisify(execFile)(process.execPath, [...process.execArgv, 'program.ts'], {
      cwd: project,
    });
    outcome = JSON.parse(result.stdout);
    stderr = result.stderr;
  });
  afterAll(() => rmSync(project, { recursive: true }));

  it('auto runs on WebAssembly and says how to get the native package', () => {
    expect(outcome).toMatchObject({ provider: 'wasm', y: [0, 1], choice: { provider: 'wasm' } });
    expect(outcome.choice.notice).toContain(reason);
    expect(outcome.choice.notice).toContain('npm install onnxruntime-node');
    expect(stderr).toBe('');
  });

  it('a provider asked for by name is refused', () => {
    expect(outcome.refusal).toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
      message: expect.stringMatching(/^The provider "cpu" cannot be used here\. .* Available here: wasm\.$/),
      data: { provider: 'cpu', available: ['wasm'] },
    });
    expect(outcome.statuses.filter((s) => s.available).map((s) => s.provider)).toEqual(['wasm']);
  });
});

/** Packages of this project, except the one in question. */
function installed(): string[] {
  const names = readdirSync(join(root, 'node_modules')).filter((name) => !name.startsWith('.'));
  return names
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(root, 'node_modules', name)).map((n) => `${name}/${n}`) : name,
    )
    .filter((name) => name !== 'onnxruntime-node');
}
