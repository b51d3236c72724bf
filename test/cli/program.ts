/** The program as its users run it: compiled, as a process of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transformWithOxc } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Finished {
  /** `null` if a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  /** Runs it to its end. */
  run(args: readonly string[], options?: StartOptions): Promise<Finished>;
  start(args: readonly string[], options?: StartOptions): Started;
  /** URL of a compiled module, such as `cli/output.js`. */
  module(path: string): string;
  /** Deletes it. */
  remove(): void;
}

export interface StartOptions {
  readonly cwd?: string;
  /** Whether it leads a group of processes, as a command in a terminal does. */
  readonly detached?: boolean;
}

export interface Started {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when the text has appeared on stderr; rejects if the process ends without it. */
  said(text: string): Promise<void>;
}

/**
 * Compiles the sources into the cache of the project, where its dependencies are found. In a tenth of a second, unlike the
 * build, since it leaves types to the type check.
 */
export async function buildProgram(): Promise<Program> {
  const cache = join(root, 'node_modules/.cache/neural-cleanse');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'program-'));
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  const options = {
    target: 'node20',
    tsconfig: false,
    typescript: { rewriteImportExtensions: true },
    jsx: { runtime: 'automatic', importSource: 'preact' },
  } as const;
  for (const name of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!/\.tsx?$/.test(name)) continue;
    const source = join(root, 'src', name);
    const target = join(folder, 'dist', name.replace(/\.tsx?$/, '.js'));
    const { code } = await transformWithOxc(readFileSync(source, 'utf8'), source, options);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, code);
  }
  const main = join(folder, 'dist/cli/main.js');
  const start = (args: readonly string[], options?: StartOptions) => startNode([main, ...args], options);
  return {
    start,
    run: (args, options) => start(args, options).finished,
    module: (path) => pathToFileURL(join(folder, 'dist', path)).href,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function startNode(args: readonly string[], { cwd, detached = false }: StartOptions = {}): Started {
  const child = spawn(process.execPath, args, {
    cwd,
    detached,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const said = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stderr.includes(text)) resolve();
      };
      child.stderr.on('data', look);
      look();
      void finished.then(() => reject(new Error(`The program ended without saying "${text}":\n${stderr}`)));
    });
  return { child, finished, said };
}
