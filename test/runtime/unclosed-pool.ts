/** A program that forgets to close its pool: prints the worker's process id and ends with exit code 3. */

import { createPool } from '../../src/runtime/pool.ts';
import * as tasks from './tasks.ts';

const pool = await createPool({ provider: 'cpu', threads: 1 });
console.log(await pool.run(tasks.pid, undefined));
process.exitCode = 3;
if (process.argv[2] === 'busy') {
  const started = new Promise((onProgress) => {
    pool.run(tasks.runForever, undefined, { onProgress }).catch(() => undefined);
  });
  await started;
  process.exit();
}
