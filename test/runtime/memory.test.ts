import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('releasing sessions frees their memory', async () => {
  const bench = fileURLToPath(new URL('../../bench/session-memory.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, bench, '120', '10']);
  const rss = stdout
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => Number(line.trim().split(/\s+/)[1]));
  expect(rss).toHaveLength(12);
  // 60 sessions that were kept would hold their 4 MB of weights at least once, that is 240 MB.
  expect(Math.max(...rss.slice(6)) - Math.max(...rss.slice(0, 6))).toBeLessThan(80);
});
