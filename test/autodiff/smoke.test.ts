import { it } from 'vitest';
import { awayFrom, checkGradient, generator } from '../support/gradient-check.ts';

it('relu', async () => {
  await checkGradient({ op: 'Relu', inputs: [awayFrom(generator(1), [2, 3, 4], [0])] });
});
