// Removes what the last build left, so that renamed sources leave no stale files.
import { rmSync } from 'node:fs';

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true });
