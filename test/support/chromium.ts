/** A Chromium and a Vulkan driver in software for tests, from npm alone: `@sparticuz/chromium` unpacked into the cache. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const entry = require.resolve('@sparticuz/chromium');
const { version } = require(join(dirname(entry), '../../package.json')) as { version: string };
const cache = join(dirname(entry), '../../../../.cache/neural-cleanse');

/** The package holds binaries for Linux on x64 only. */
const usable = process.platform === 'linux' && process.arch === 'x64';
const unpacked = join(cache, `chromium-${version}`);

/** Unpacks once (2 seconds). Vitest calls this before any test file starts. */
export function setup(): void {
  if (!usable || existsSync(unpacked)) return;
  mkdirSync(cache, { recursive: true });
  const staging = mkdtempSync(join(cache, 'unpacking-'));
  try {
    // The package unpacks into the temporary folder, whichever that is.
    const script = `(await import('@sparticuz/chromium')).default.executablePath()`;
    execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: dirname(entry),
      env: { ...process.env, TMPDIR: staging },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    renameSync(staging, unpacked);
  } catch (error) {
    // Another run of the tests may have been first.
    if (!existsSync(unpacked)) throw error;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Environment in which Vulkan is SwiftShader. It has to be set before a process starts. */
export const softwareGpu: Record<string, string> = usable
  ? {
      LD_LIBRARY_PATH: [unpacked, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
      VK_ICD_FILENAMES: join(unpacked, 'vk_swiftshader_icd.json'),
    }
  : {};

/** An installed Chromium (`NEURAL_CLEANSE_CHROMIUM` names one), or the unpacked one. */
export function chromiumPath(): string {
  const installed = [
    process.env.NEURAL_CLEANSE_CHROMIUM,
    '/usr/bin/chromium',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    'C:/Program Files/Google/Chrome/Application/chrome.exe',
  ].find((path) => path && existsSync(path));
  if (installed) return installed;
  if (usable) return join(unpacked, 'chromium');
  throw new Error('No Chromium found: install one, or set NEURAL_CLEANSE_CHROMIUM to its executable.');
}
